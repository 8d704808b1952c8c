"""Threads of tconv's own: what they do while they wait for work, and how a call shares its work with them.

A call (`share`) offers seats, works too, takes back the seats that nobody took, and waits for the others to be left. So
a thread that the system does not run is not waited for, which the barriers of OpenMP would do. Whoever waits gives up
its core again and again (sched_yield), since it may be the core of the one that is waited for; threads of the pool go
to sleep after a while (futex).

A system, notably in a virtual machine, may wake a thread on the core of the one that woke it and leave the others idle.
A thread that finds itself on the core of the call puts a new thread into its place: the system starts those on idle
cores. That takes longer than a brief call, which does not wait for it. One call at a time is served. What others call
at the same time they compute alone.
"""

from __future__ import annotations

from enum import IntEnum

from tconv.jit.machine.ir import Function, Module


class Pool(IntEnum):
    """Words of a pool. What different threads write lies on cache lines of its own."""

    TICKET = 0  #: the number of the call, of which the system compares the lower half (futex)
    SLEEPERS = 8
    SEATS = 16  #: seats that are free * FREE + those taken
    BUSY = 24
    WORK = 32  #: what to call
    SHARED = 33  #: with what
    CORE = 34  #: of the call
    BORN = 35  #: the ticket at which a thread was last replaced
    YIELD = 40  #: addresses in the C library
    SYSCALL = 41
    GET_CPU = 42
    CREATE = 43
    DETACH = 44
    FUTEX = 45  #: the number of that system call


POOL_WORDS = 48
FREE = 1 << 32
#: Turns of waiting, of a third of a microsecond each, before a thread goes to sleep. Waking it takes 100 µs.
PATIENCE = 3000
#: Calls from a thread that is replaced to the next: where all cores are taken, a new one has no better place.
RARELY = 1
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, for the threads of one process


def emit(module: Module) -> None:
    """Write `serve(pool)`, what a thread of the pool does, and `share` and `share_briefly`, called as GOMP_parallel."""
    _serve(module)
    _again(module)
    _entry(module)
    _share(module, "share", brief=False)
    _share(module, "share_briefly", brief=True)


def _serve(module: Module) -> None:
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
    _find_a_core(f, thread, seen)
    f.jump(work)
    f.start(work)
    function, shared = f.pointer("%pool", Pool.WORK), f.pointer("%pool", Pool.SHARED)
    f.do(f"call void {function}(ptr {shared})")
    _change(f, Pool.SEATS, "sub", 1)
    f.jump(look)
    f.start(wait)
    with f.loop(PATIENCE, once=True):
        stay = f.label("stay")
        f.branch(f.let(f"icmp ne i32 {_atomic_load(f, 'i32', Pool.TICKET)}, {seen}"), look, stay)
        f.start(stay)
        _yield(f)
    _change(f, Pool.SLEEPERS, "add", 1)
    _futex(f, _WAIT, f"i32 {seen}, ptr null")
    _change(f, Pool.SLEEPERS, "sub", 1)
    f.jump(look)


def _find_a_core(f: Function, thread: str, seen: str) -> None:
    """On the core of the call, leave the seat to a new thread, and end."""
    same = f.let(f"icmp eq i64 {_core(f)}, {f.word('%pool', Pool.CORE)}")
    ticket = f.let(f"zext i32 {seen} to i64")
    since = f.sub(ticket, f.word("%pool", Pool.BORN))
    with f.when(f.both(same, f.let(f"icmp uge i64 {since}, {RARELY}"))):
        f.store("i64", ticket, "%pool", 8 * Pool.BORN)
        create = f.pointer("%pool", Pool.CREATE)
        failed = f.let(f"call i32 {create}(ptr {thread}, ptr null, ptr @again, ptr %pool)")
        with f.when(f.let(f"icmp eq i32 {failed}, 0")):
            detach, number = f.pointer("%pool", Pool.DETACH), f.word(thread, 0)
            f.let(f"call i32 {detach}(i64 {number})")
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


def _share(module: Module, name: str, *, brief: bool) -> None:
    """Let up to so many threads call `work(shared)`; what they share begins with the address of the pool."""
    f = module.function(name, [("ptr", "work"), ("ptr", "shared"), ("i32", "threads"), ("i32", "flags")])
    f.exported = True
    f.do("%pool = load ptr, ptr %shared, align 8")
    with f.choose(_swapped(f, Pool.BUSY, "0", "1")) as (served, alone):
        with alone:
            f.do("call void %work(ptr %shared)")
        with served:
            _invite(f, brief)
            f.do("call void %work(ptr %shared)")
            _close(f)
    f.ret()


def _invite(f: Function, brief: bool) -> None:
    """Offer seats and wake who sleeps."""
    f.store("ptr", "%work", "%pool", 8 * Pool.WORK)
    f.store("ptr", "%shared", "%pool", 8 * Pool.SHARED)
    f.store("i64", _core(f), "%pool", 8 * Pool.CORE)
    others = f.sub(f.let("zext i32 %threads to i64"), 1)
    _atomic_store(f, Pool.SEATS, f.mul(others, FREE))
    _change(f, Pool.TICKET, "add", 1)
    with f.when(f.compare("sgt", _atomic_load(f, "i64", Pool.SLEEPERS), 0)):
        _futex(f, _WAKE, f"i64 {others}")
        if not brief:
            _yield(f)  # one that was woken on this core looks for another


def _close(f: Function) -> None:
    """Take back the seats that are free, and wait until those that are taken are left."""
    head, turn, done = f.label("wait"), f.label("turn"), f.label("done")
    _change(f, Pool.SEATS, "and", FREE - 1)
    f.jump(head)
    f.start(head)
    f.branch(f.compare("eq", _atomic_load(f, "i64", Pool.SEATS), 0), done, turn)
    f.start(turn)
    _yield(f)
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


def _yield(f: Function) -> None:
    f.let(f"call i32 {f.pointer('%pool', Pool.YIELD)}()")


def _core(f: Function) -> str:
    """The number of the core that this thread is on."""
    number = f.let(f"call i32 {f.pointer('%pool', Pool.GET_CPU)}()")
    return f.let(f"sext i32 {number} to i64")


def _futex(f: Function, how: int, rest: str) -> None:
    syscall, number = f.pointer("%pool", Pool.SYSCALL), f.word("%pool", Pool.FUTEX)
    f.let(f"call i64 (i64, ...) {syscall}(i64 {number}, ptr {_at(f, Pool.TICKET)}, i64 {how}, {rest})")
