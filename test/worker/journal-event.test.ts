import * as fc from "fast-check";
import { expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { fitted } from "../../src/domain/fitted.ts";
import { isMap } from "../../src/domain/flatten.ts";
import { isJournalEvent } from "../../src/domain/journal-event.ts";
import { parseItems } from "../../src/domain/json.ts";
import { EVENT_TYPES } from "../../src/domain/types.ts";
import { identify } from "../../src/relay/intake/identify.ts";

const NOW = Date.UTC(2026, 5, 1);
const REQUIRED =
  '"model_run_id":"m","trial_id":"t","spectral_norm":true,"error_message":"e","state":"failed","completed_trials":1,"requested_trials":1,"search_space_version":1,"metric_name":"x","metric_value":1,"uri":"s3://b/m"';

/** What a number may be in a body, and what else stands where one does. */
const leaf = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.constantFrom(
    "NaN",
    "-Infinity",
    "-0",
    "1e308",
    "12345678901234567890123",
    "1.0",
    '"inf"',
    '"\\ud800"',
    "1e-400",
  ),
);
const map = fc
  .dictionary(fc.oneof(fc.constantFrom("loss", "a.b", "__proto__", "constructor", "x y"), fc.string()), leaf)
  .map((fields) => `{${Object.entries(fields).map(([name, text]) => `${JSON.stringify(name)}:${text}`)}}`);
const sides = fc.record(
  {
    metrics: map,
    parameters: map,
    tags: map,
    metadata: map,
    bridge_payload: map,
    warnings: leaf,
    rank: leaf,
    duration_ms: leaf,
    candidate_id: leaf,
    description: leaf,
    step: fc.constantFrom("3", "9007199254740991", "50.0"),
    occurred_at: fc.constantFrom("1764000000000", '"2026-01-01T00:00:00.5Z"'),
    event_id: fc.constantFrom('"e"', "null"),
    resume: fc.constantFrom("true", "false"),
  },
  { requiredKeys: [] },
);

test("whatever is taken at the door is understood when it has gone round by the queue", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...EVENT_TYPES), sides, async (type, more) => {
      const fields = Object.entries(more).map(([name, text]) => `,"${name}":${text}`);
      const { value, texts } = parseItems(`{"event":"${type}",${REQUIRED}${fields.join("")}}`);
      const checked = checkEvent(value, NOW, texts);
      if (!checked.ok || !isMap(value)) return;
      taken++;
      const event = await identify({ event: fitted(checked.event), body: value, index: 0 }, null, NOW);
      const sent: unknown = JSON.parse(JSON.stringify(event));
      expect(isJournalEvent(sent), JSON.stringify(sent)).toBe(true);
    }),
    { numRuns: 200 },
  );
  expect(taken).toBeGreaterThan(60);
});
