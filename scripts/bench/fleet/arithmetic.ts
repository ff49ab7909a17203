export function printArithmetic(): string {
  return '';
}
