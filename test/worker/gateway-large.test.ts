import { beforeEach, expect, test } from "vitest";
import { foldAll } from "./api.ts";
import { call, dataOf, newRun, read } from "./gateway-api.ts";
import { emptied } from "./gateway-world.ts";

/** MLflow counts characters. One takes four bytes, or in JSON six: a request that it takes may be large. */

beforeEach(emptied);

const TEXTS = { "four bytes": "\u{1f600}", "six in JSON": "\u0001", "one byte": "x" };
const pairs = (value: string, chars: number) =>
  Array.from({ length: 100 }, (_, n) => ({ key: `k${n}`, value: value.repeat(chars) }));
const asRecord = (all: readonly { key: string; value: string }[]) =>
  Object.fromEntries(all.map(({ key, value }) => [key, value]));

test.each(Object.entries(TEXTS))(
  "a hundred parameters with characters of %s, as long as can be",
  async (_, char) => {
    const run_id = await newRun();
    const params = pairs(char, 6_000);
    expect((await call("runs/log-batch", { run_id, params })).status).toBe(200);
    for (const isFolded of [false, true]) {
      if (isFolded) await foldAll();
      expect(await dataOf(run_id, "params")).toEqual(asRecord(params));
      const other = params.map(({ key, value }, n) => ({ key, value: n < 99 ? value : "other" }));
      expect((await call("runs/log-batch", { run_id, params })).status).toBe(200);
      const refused = await call("runs/log-batch", { run_id, params: other });
      expect(refused.status).toBe(400);
      expect(refused.body.message).toContain("'key': 'k99', 'old_value'");
    }
  },
);

test.each(Object.entries(TEXTS))("a run with a hundred tags of characters of %s", async (_, char) => {
  const tags = pairs(char, 8_000);
  const run_id = await newRun({ tags });
  expect(await dataOf(run_id, "tags")).toMatchObject(asRecord(tags));
});

test("a page behind every row is empty, and one of no number refused", async () => {
  const run_id = await newRun();
  const offsets = [1e300, 2 ** 63, "9223372036854775808", null];
  for (const offset of offsets) {
    const page_token = btoa(JSON.stringify({ offset }));
    for (const { status, body } of [
      await read("metrics/get-history", { run_id, metric_key: "m", page_token }),
      await call("runs/search", { experiment_ids: ["0"], page_token }),
      await call("experiments/search", { max_results: 10, page_token }),
    ]) {
      expect(status).toBe(offset === null ? 400 : 200);
      if (offset === null) expect(body.message).toBe("Invalid page token, parsed value={'offset': None}");
      else expect(body).toEqual({});
    }
  }
});
