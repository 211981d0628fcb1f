import { type ExpectedPoint, type ExpectedText, pointIdentity, type Standing } from "../../domain/compare.ts";
import { fromWire } from "../../domain/values.ts";
import type { ExpectedLetter, ExpectedReplay } from "../../store/readback/expected-letters.ts";

/** What is to be thought of a point, a parameter or a tag that MLflow does not have. */
export type Account = {
  point: (point: ExpectedPoint & { key: string }) => Standing;
  param: (param: ExpectedText) => Standing;
  tag: (tag: ExpectedText) => Standing;
};

/**
 * Accounts for what MLflow lacks: what came after the watermark is undelivered; what MLflow refused is explained by
 * its dead letter or conflict. What was sent again must have arrived once its replay has.
 */
export function accountFor(
  expected: {
    letters: readonly ExpectedLetter[];
    replays: readonly ExpectedReplay[];
    refusedParams: readonly { key: string; refused: string }[];
  },
  upto: number,
): Account {
  const lastReplay = new Map(expected.replays.flatMap((replay) => replay.letters.map((id) => [id, replay])));
  const fateOf = ({ id, isReplayed }: ExpectedLetter): Standing => {
    const replay = lastReplay.get(id);
    if (!isReplayed || !replay) return "explained";
    return replay.seq > upto ? "undelivered" : "due";
  };
  const fates = new Map(expected.letters.map((letter) => [identityOf(letter.kind, letter), fateOf(letter)]));
  for (const { key, refused } of expected.refusedParams)
    fates.set(identityOf("param", { key, value: refused }), "explained");
  const standing = (kind: string) => (one: Identified & { seq: number }) =>
    one.seq > upto ? "undelivered" : (fates.get(identityOf(kind, one)) ?? "due");
  return { point: standing("metric"), param: standing("param"), tag: standing("tag") };
}

type Identified = { key: string; value: number | string; step?: number; timestamp?: number };

function identityOf(kind: string, { key, value, step = 0, timestamp = 0 }: Identified): string {
  return kind === "metric"
    ? `metric ${pointIdentity({ step, timestamp }, fromWire(value))} ${key}`
    : JSON.stringify([kind, key, String(value)]);
}
