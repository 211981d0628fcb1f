/** Without the characters at both ends that fit; in a time that grows with the text, which `/ +$/` does not keep to. */
export function trim(text: string, fitting: RegExp): string {
  let [from, until] = [0, text.length];
  while (from < until && fitting.test(text.charAt(from))) from++;
  while (from < until && fitting.test(text.charAt(until - 1))) until--;
  return text.slice(from, until);
}
