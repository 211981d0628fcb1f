import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyCore } from "../../src/domain/core.ts";
import { checkEvent } from "../../src/domain/events.ts";
import { fold } from "../../src/domain/fold.ts";
import { modelArtifactsIn } from "../../src/domain/model-artifact.ts";
import type { Facts } from "../../src/domain/types.ts";

/** Models that a trial made, as its events tell of them. */

const NOW = Date.parse("2026-06-01T12:00:00Z");
const IDS = { model_run_id: "m", trial_id: "t" };
const SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const CREATED = { event: "ml.artifact.created", ...IDS, uri: "s3://models/a.bin" };

type Told = { facts: Facts | null; at: number; id: string };

function told(body: object, at: number, id = `${JSON.stringify(body)}${at}`): Told {
  const checked = checkEvent(body, NOW);
  if (!checked.ok) throw new Error(JSON.stringify(checked.rejection));
  return { facts: checked.event.facts, at, id };
}

function models(events: readonly Told[]) {
  const stored = events.map(({ facts, at, id }, i) => ({
    seq: i + 1,
    id,
    type: "ml.artifact.created",
    occurredAt: at,
    acceptedAt: at,
    facts,
  }));
  const none = { core: emptyCore, params: new Map(), tags: new Map(), metrics: new Map() };
  const { tags } = fold(none, stored, []).state;
  return modelArtifactsIn([...tags].map(([key, { value }]) => [key, value]));
}

const moved = (status: string, fields: object, at: number) =>
  told({ event: `ml.artifact.${status}`, ...IDS, ...fields }, at);

test("a creation tells all there is of a model", () => {
  expect(models([told({ ...CREATED, checksum: `sha256:${SHA256}`, bytes: 3, spec_id: "s" }, 1)])).toEqual([
    {
      id: "9f86d081884c7d65",
      uri: "s3://models/a.bin",
      checksum: `sha256:${SHA256}`,
      bytes: 3,
      status: "created",
      semver: "0.1.0",
      spec_id: "s",
    },
  ]);
});

test("whatever the order and the duplicates, the latest word on a model stands", () => {
  const story = [
    told({ ...CREATED, checksum: SHA256, bytes: 3 }, 1),
    moved("promoted", { checksum: SHA256, semver: "1.0.0" }, 2),
    moved("archived", { checksum: SHA256 }, 3),
    moved("promoted", { checksum: SHA256, semver: "1.1.0" }, 4),
    // The trainer tells of it again: no word on what became of it.
    told({ ...CREATED, checksum: SHA256, bytes: 3 }, 9),
    told({ ...CREATED, uri: "s3://models/b.bin" }, 5),
    moved("archived", { uri: "s3://models/b.bin" }, 6),
  ];
  const end = models(story);
  expect(end.map(({ uri, status, semver }) => [uri, status, semver])).toEqual(
    expect.arrayContaining([
      ["s3://models/a.bin", "promoted", "1.1.0"],
      ["s3://models/b.bin", "archived", "0.1.0"],
    ]),
  );
  expect(end).toHaveLength(2);
  fc.assert(
    fc.property(fc.shuffledSubarray([...story, ...story], { minLength: 2 * story.length }), (mixed) => {
      expect(models(mixed)).toEqual(end);
    }),
  );
});

test("what becomes of a model may be told before it was created", () => {
  expect(models([moved("promoted", { checksum: SHA256 }, 2)])).toMatchObject([
    { uri: null, status: "promoted", semver: "0.1.0" },
  ]);
});

describe("what is refused", () => {
  test.each([
    [{ ...CREATED, uri: undefined }, "uri"],
    [{ ...CREATED, uri: "x".repeat(2_049) }, "uri"],
    [{ ...CREATED, checksum: "../.." }, "checksum"],
    [{ event: "ml.artifact.promoted", ...IDS }, "checksum"],
    [{ event: "ml.artifact.archived", ...IDS, checksum: 7 }, "checksum"],
  ])("%j for its %s", (body, field) => {
    expect(checkEvent(body, NOW)).toMatchObject({ ok: false, rejection: { problems: [{ field }] } });
  });

  test("a version of no form is left out, and nobody's own tags can be taken for a model's", () => {
    expect(checkEvent({ ...CREATED, semver: "v2" }, NOW)).toMatchObject({
      ok: true,
      event: { warnings: [{ field: "semver", action: "left_out" }] },
    });
    const start = { event: "ml.trial.start", ...IDS, spectral_norm: true };
    expect(
      checkEvent({ ...start, tags: { "model_artifact.0123456789abcdef.status": "promoted" } }, NOW),
    ).toMatchObject({ ok: true, event: { warnings: [{ action: "left_out" }] } });
  });
});

test("a tag that was edited in MLflow to what nobody knows says nothing", () => {
  const tag = (field: string, value: string): [string, string] => [
    `model_artifact.0123456789abcdef.${field}`,
    value,
  ];
  expect(
    modelArtifactsIn([
      tag("bytes", "many"),
      tag("status", "burnt"),
      tag("uri", "s3://x"),
      ["model_artifact.x", ""],
    ]),
  ).toMatchObject([{ uri: "s3://x", bytes: null, status: "created" }]);
});
