import { expect, test } from "vitest";
import { type Facts, factsSchema } from "../../src/domain/facts-schema.ts";
import { readFacts } from "../../src/store/stream/columns.ts";

/** `Required`: a fact that is new and not named here does not compile. */
const everything: { [Name in keyof Required<Facts>]: NonNullable<Facts[Name]> } = {
  announces: true,
  starts: true,
  ends: "failed",
  endedAt: 2,
  resumes: true,
  over: 7,
  fields: { nested: { list: [1, null, "text"] } },
  params: { lr: "0.1" },
  corrections: { lr: "0.2" },
  tags: { host: "n1" },
  defaults: { host: "none" },
  untags: ["old"],
  finals: { loss: "NaN", accuracy: 0.9 },
  quiet: { heardAt: 1, as: "left" },
  run: { status: "RUNNING", startTime: 1, endTime: 2 },
  lifecycle: "deleted",
  about: { learning_rate: 0.1 },
};

test("every fact that an event may carry is read back from the journal as it was written", () => {
  expect(Object.keys(everything).sort()).toEqual(Object.keys(factsSchema.shape).sort());
  expect(readFacts(JSON.stringify(everything))).toEqual(everything);
});
