// Lattice points counted without listing them, so that a count is exact and fast at any size.
//
// Such counts can be far larger than the difference of two of them that is wanted, so they are no doubles.

/** The sum of floor((a * i + b) / m) over 0 <= i < n, for a, b >= 0 and m >= 1 ("Concrete Mathematics", 3.5). */
export function floorSum(n: bigint, a: bigint, b: bigint, m: bigint): bigint {
  let total = 0n;
  for (;;) {
    total += (((n - 1n) * n) / 2n) * (a / m) + n * (b / m);
    [a, b] = [a % m, b % m];
    const top = a * n + b;
    if (top < m) return total;
    [n, b, a, m] = [top / m, top % m, m, a];
  }
}

/** How many pairs 0 <= c < n, 0 <= t < k have c * s + t * d <= limit. */
export function pairsUpTo(limit: number, n: number, s: number, k: number, d: number): bigint {
  const [l, stride, dilation] = [BigInt(limit), BigInt(s), BigInt(d)];
  const [a, b] = [BigInt(n) * stride, BigInt(k) * dilation];
  const below = (corner: bigint) => quadrant(corner, stride, dilation);
  return below(l) + below(l - a - b) - below(l - a) - below(l - b);
}

/** How many pairs c, t >= 0 have c * s + t * d <= limit. */
function quadrant(limit: bigint, s: bigint, d: bigint): bigint {
  if (limit < 0n) return 0n;
  const last = limit / s;
  return floorSum(last + 1n, s, limit % s, d) + last + 1n;
}
