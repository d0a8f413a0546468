/** The polynomial of gzip's checksum (RFC 1952 §8), its lowest power in the highest bit. */
const POLYNOMIAL = 0xedb88320;
/** Powers of x by squaring: entry n is x to the power of 2^n, modulo the polynomial. */
const SQUARES = squares();

/**
 * The factor by which a checksum is multiplied when `length` further bytes are behind the bytes that it is of:
 * x to the power of 8 × length, modulo the polynomial. As `crc32_combine_gen` of zlib.
 */
export function crcFactor(length: number): number {
  let factor = 1 << 31;
  let power = 3;
  for (let left = length; left > 0; left = Math.floor(left / 2), power++) {
    if (left % 2 === 1) factor = multiply(SQUARES[power & 31] as number, factor);
  }
  return factor;
}

/** The checksum of two parts one behind the other. `factor` is that of the length of the second part. */
export function combineCrc(first: number, second: number, factor: number): number {
  return multiply(factor, first) ^ second;
}

/** Multiplies modulo the polynomial. As `multmodp` of zlib. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 1 << 31; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    if ((a & (bit - 1)) === 0) return product;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return product;
}

function squares(): readonly number[] {
  const all = [1 << 30];
  for (let at = 1; at < 32; at++) {
    const last = all[at - 1] as number;
    all.push(multiply(last, last));
  }
  return all;
}
