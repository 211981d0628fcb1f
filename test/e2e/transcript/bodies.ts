import { type Ask, get, post, raw } from "./ask.ts";

const SOME = '{"run_id":"nobody","key":"k","value":"1","timestamp":1}';

/** What there is nothing of, or not by this verb. */
export const NOWHERE: readonly Ask[] = [
  get("nothing"),
  post("runs/nothing", {}),
  post("runs/get", { run_id: "nobody" }),
  post("metrics/get-history", { run_id: "nobody", metric_key: "m" }),
  get("runs/create"),
  get("runs/search", { experiment_ids: "0" }),
  get("runs/log-batch"),
];

/** Bodies that are no JSON object, to one that needs something and to one that needs little. */
export const BODIES: readonly Ask[] = ["runs/set-tag", "runs/log-batch"].flatMap((path) => [
  raw(path, SOME),
  raw(path, SOME, "application/json; charset=utf-8"),
  raw(path, SOME, "text/plain"),
  raw(path, SOME, "application/x-www-form-urlencoded"),
  raw(path, SOME, "APPLICATION/JSON"),
  raw(path, JSON.stringify(SOME)),
  raw(path, ""),
  raw(path, "null"),
  raw(path, "{}"),
  raw(path, "[]"),
  raw(path, "5"),
  raw(path, '"x"'),
  raw(path, '{"run_id":'),
  raw(path, `${SOME}x`),
  raw(path, `{"run_id":"nobody","key":"k","value":${"[".repeat(101)}${"]".repeat(101)}}`),
  raw(path, '{"run_id":"nobody","run_id":"other","key":"k","key":"k2"}'),
]);
