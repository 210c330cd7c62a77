/**
 * Dollars as integer nano-dollars, rounded half away from zero, by decimal digits: no binary arithmetic, so what was
 * written with nine decimals comes out exactly. `null` for what is no amount, or is too large to be counted exactly.
 */
export function nanoDollars(dollars: unknown): number | null {
  if (typeof dollars !== 'number' && typeof dollars !== 'string') return null
  const match = /^(-?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(String(dollars).trim())
  if (match === null) return null
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  if (whole === '' && fraction === '') return null
  const digits = whole + fraction
  // Where the point of a whole number of nano-dollars stands among the digits.
  const point = whole.length + Number(exponent) + 9
  const kept = point <= 0 ? '0' : digits.slice(0, point).padEnd(point, '0')
  const up = point >= 0 && (digits[point] ?? '0') >= '5' ? 1n : 0n
  const nano = Number(BigInt(kept) + up)
  if (!Number.isSafeInteger(nano)) return null
  return sign === '-' && nano !== 0 ? -nano : nano
}
