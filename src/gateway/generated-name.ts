/** Names for runs that are given none, in the manner of MLflow's: `brisk-heron-417`. */

const HOW = [
  "amber",
  "brisk",
  "calm",
  "clever",
  "dapper",
  "eager",
  "fearless",
  "gentle",
  "honest",
  "inquisitive",
  "jolly",
  "keen",
  "lively",
  "mellow",
  "nimble",
  "orderly",
  "placid",
  "quaint",
  "rare",
  "sincere",
  "thoughtful",
  "unique",
  "valuable",
  "welcoming",
  "youthful",
  "zealous",
];
const WHO = [
  "auk",
  "bat",
  "crane",
  "doe",
  "elk",
  "finch",
  "grouse",
  "heron",
  "ibis",
  "jay",
  "koi",
  "lynx",
  "mole",
  "newt",
  "otter",
  "panda",
  "quail",
  "robin",
  "seal",
  "toad",
  "urchin",
  "vole",
  "wren",
  "yak",
  "zebra",
];
const NUMBERS = 1_000;

/** @param random from 0 to below 1 */
export function generatedName(random: () => number): string {
  const one = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "";
  return `${one(HOW)}-${one(WHO)}-${Math.floor(random() * NUMBERS)}`;
}
