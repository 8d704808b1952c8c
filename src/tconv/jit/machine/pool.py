"""Threads of tconv's own: what they do while they wait for work, and how a call shares its work with them.

A call (`share`) offers seats, works too, takes back the seats that nobody took, and waits for the others to be left. So
a thread that the system does not run is not waited for, which the barriers of OpenMP would do. Whoever waits gives up
its core again and again, since it may be the core of the one that is waited for; threads of the pool go to sleep after
a while. How a thread yields, sleeps, is woken and begins is the system's (`system_calls.py`).

A system, notably in a virtual machine, may wake a thread on the core of the one that woke it and leave the others idle.
A thread that finds itself on the core of the call puts a new thread into its place: the system starts those on idle
cores. That takes longer than a brief call, which does not wait for it. One call at a time is served. What others call
at the same time they compute alone.

Why it is right on processors that reorder memory (AArch64), where each step is checked against those it relies on:

1. What a call hands over. It writes WORK, SHARED and CORE, then SEATS (a store that releases). A thread reads them
   after its compare-and-swap of SEATS has taken a seat, which acquires what that store released. It may have read SEATS
   in an earlier call: the swap still succeeds only on the value at hand, whose seats are of the call at hand.
2. What it gets back. A thread leaves by subtracting 1 from SEATS after its work (a release); the call goes on when it
   reads 0 there (an acquire). So all that threads wrote is there: results, and the word that says that weights are not
   finite. The counter by which they take pieces (`macro_kernel.py`) needs no order: it gives every number once, and
   what a piece reads was written before the call or by the thread itself.
3. That no call is slept through. A thread adds 1 to SLEEPERS, and sleeps if TICKET is still what it saw; a call adds 1
   to TICKET, and wakes if SLEEPERS is not 0. All four are sequentially consistent, so that in their one order either
   the thread's addition comes before the call's reading, and the call wakes, or the call's addition comes before the
   thread's, and the system, which compares TICKET itself, does not let it sleep. A wake that comes between the
   comparison and the sleep is not lost: the system makes one step of both.
4. That seats are not left over. The call takes them back by an `and` that keeps those that are taken: a thread either
   swapped before it, is counted and is waited for, or finds no seat. A thread that comes too late for anything goes
   back to waiting for the next ticket; seen from there, the number of calls it missed does not matter.
5. BUSY is swapped from 0 to 1 (an acquire) and stored as 0 (a release): calls come one after the other, with all that
   the one before wrote to the pool.
"""

from __future__ import annotations

from enum import IntEnum

from tconv.jit.machine.ir import Function, Module
from tconv.jit.machine.system_calls import Call, SystemCalls


class Pool(IntEnum):
    """Words of a pool. What different threads write lies on cache lines of its own."""

    TICKET = 0  #: the number of the call, of which the system compares the lower half
    SLEEPERS = 8
    SEATS = 16  #: seats that are free * FREE + those taken
    BUSY = 24
    WORK = 32  #: what to call
    SHARED = 33  #: with what
    CORE = 34  #: of the call
    BORN = 35  #: the ticket at which a thread was last replaced


#: With those of `Call`.
POOL_WORDS = 48
FREE = 1 << 32
#: Turns of waiting, of a third of a microsecond each, before a thread goes to sleep. Waking it takes 100 µs.
PATIENCE = 3000
#: Calls from a thread that is replaced to the next: where all cores are taken, a new one has no better place.
RARELY = 1


def emit(module: Module, system: SystemCalls) -> None:
    """Write `serve(pool)`, what a thread of the pool does, and `share` and `share_briefly`, called as GOMP_parallel."""
    _serve(module, system)
    _again(module)
    _entry(module)
    _emit_share(module, system)


def emit_once(module: Module, system: SystemCalls) -> None:
    """The same for threads that are asked anew for each call: `serve_once(pool)` works if a seat is free."""
    f = module.function("serve_once", [("ptr", "pool")])
    f.exported = True
    look, take, work, done = (f.label(word) for word in ("look", "take", "work", "done"))
    f.jump(look)
    f.start(look)
    seats = _atomic_load(f, "i64", Pool.SEATS)
    f.branch(f.compare("sge", seats, FREE), take, done)
    f.start(take)
    f.branch(_swapped(f, Pool.SEATS, seats, f.add(seats, 1 - FREE)), work, look)
    f.start(work)
    _work(f)
    f.jump(done)
    f.start(done)
    f.ret()
    _emit_share(module, system)


def _emit_share(module: Module, system: SystemCalls) -> None:
    _share(module, "share", system, brief=False)
    _share(module, "share_briefly", system, brief=True)


def _serve(module: Module, system: SystemCalls) -> None:
    """Take seats and work, for ever; begin with work where a seat is taken already."""
    f = module.function("served", [("ptr", "pool"), ("i1", "seated")])
    thread = f.stack(8)
    look, take, taken, work, wait = (f.label(word) for word in ("look", "take", "taken", "work", "wait"))
    f.branch("%seated", work, look)
    f.start(look)
    seen = _atomic_load(f, "i32", Pool.TICKET)
    seats = _atomic_load(f, "i64", Pool.SEATS)
    f.branch(f.compare("sge", seats, FREE), take, wait)
    f.start(take)
    f.branch(_swapped(f, Pool.SEATS, seats, f.add(seats, 1 - FREE)), taken, look)
    f.start(taken)
    _find_a_core(f, system, thread, seen)
    f.jump(work)
    f.start(work)
    _work(f)
    f.jump(look)
    f.start(wait)
    with f.loop(PATIENCE, once=True):
        stay = f.label("stay")
        f.branch(f.let(f"icmp ne i32 {_atomic_load(f, 'i32', Pool.TICKET)}, {seen}"), look, stay)
        f.start(stay)
        system.give_up_the_core(f)
    _change(f, Pool.SLEEPERS, "add", 1)
    system.wait(f, _at(f, Pool.TICKET), seen)
    _change(f, Pool.SLEEPERS, "sub", 1)
    f.jump(look)


def _work(f: Function) -> None:
    """Do what the call wants, and leave the seat."""
    function, shared = f.pointer("%pool", Pool.WORK), f.pointer("%pool", Pool.SHARED)
    f.do(f"call void {function}(ptr {shared})")
    _change(f, Pool.SEATS, "sub", 1)


def _find_a_core(f: Function, system: SystemCalls, thread: str, seen: str) -> None:
    """On the core of the call, leave the seat to a new thread, and end."""
    if Call.GET_CORE not in system.names:
        return
    same = f.let(f"icmp eq i64 {system.core(f)}, {f.word('%pool', Pool.CORE)}")
    ticket = f.let(f"zext i32 {seen} to i64")
    since = f.sub(ticket, _atomic_load(f, "i64", Pool.BORN))
    with f.when(f.both(same, f.let(f"icmp uge i64 {since}, {RARELY}"))):
        _atomic_store(f, Pool.BORN, ticket)
        began = system.create(f, thread, "@again")
        with f.when(began):
            f.leave()


def _again(module: Module) -> None:
    """What a thread begins with that replaces another."""
    f = module.function("again", [("ptr", "pool")], returns="ptr")
    f.do("call void @served(ptr %pool, i1 true)")
    f.ret("ptr null")


def _entry(module: Module) -> None:
    f = module.function("serve", [("ptr", "pool")], returns="ptr")
    f.exported = True
    f.do("call void @served(ptr %pool, i1 false)")
    f.ret("ptr null")


def _share(module: Module, name: str, system: SystemCalls, *, brief: bool) -> None:
    """Let up to so many threads call `work(shared)`; what they share begins with the address of the pool."""
    f = module.function(name, [("ptr", "work"), ("ptr", "shared"), ("i32", "threads"), ("i32", "flags")])
    f.exported = True
    f.do("%pool = load ptr, ptr %shared, align 8")
    with f.choose(_swapped(f, Pool.BUSY, "0", "1")) as (served, alone):
        with alone:
            f.do("call void %work(ptr %shared)")
        with served:
            _invite(f, system, brief)
            f.do("call void %work(ptr %shared)")
            _close(f, system)
    f.ret()


def _invite(f: Function, system: SystemCalls, brief: bool) -> None:
    """Offer seats and wake who sleeps."""
    f.store("ptr", "%work", "%pool", 8 * Pool.WORK)
    f.store("ptr", "%shared", "%pool", 8 * Pool.SHARED)
    f.store("i64", system.core(f), "%pool", 8 * Pool.CORE)
    others = f.sub(f.let("zext i32 %threads to i64"), 1)
    _atomic_store(f, Pool.SEATS, f.mul(others, FREE))
    _change(f, Pool.TICKET, "add", 1)
    sleepers = _atomic_load(f, "i64", Pool.SLEEPERS)
    with f.when(f.compare("sgt", sleepers, 0)):
        system.wake(f, _at(f, Pool.TICKET), others, sleepers)
        if not brief:
            system.give_up_the_core(f)  # one that was woken on this core looks for another


def _close(f: Function, system: SystemCalls) -> None:
    """Take back the seats that are free, and wait until those that are taken are left."""
    head, turn, done = f.label("wait"), f.label("turn"), f.label("done")
    _change(f, Pool.SEATS, "and", FREE - 1)
    f.jump(head)
    f.start(head)
    f.branch(f.compare("eq", _atomic_load(f, "i64", Pool.SEATS), 0), done, turn)
    f.start(turn)
    system.give_up_the_core(f)
    f.jump(head)
    f.start(done)
    _atomic_store(f, Pool.BUSY, 0)


# ---- vocabulary


def _at(f: Function, word: Pool) -> str:
    return f.at("%pool", 8 * word)


def _atomic_load(f: Function, kind: str, word: Pool) -> str:
    return f.let(f"load atomic {kind}, ptr {_at(f, word)} seq_cst, align 8")


def _atomic_store(f: Function, word: Pool, value: object) -> None:
    f.do(f"store atomic i64 {value}, ptr {_at(f, word)} seq_cst, align 8")


def _change(f: Function, word: Pool, how: str, by: int) -> None:
    f.let(f"atomicrmw {how} ptr {_at(f, word)}, i64 {by} seq_cst")


def _swapped(f: Function, word: Pool, old: object, new: object) -> str:
    """Whether a word was the old value, and is the new one now."""
    pair = f.let(f"cmpxchg ptr {_at(f, word)}, i64 {old}, i64 {new} seq_cst seq_cst")
    return f.let(f"extractvalue {{i64, i1}} {pair}, 1")
