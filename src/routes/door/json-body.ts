import type { Context } from "hono";
import * as z from "zod";
import { isMap } from "../../domain/flatten.ts";
import { parseJson, TooDeep } from "../../domain/json.ts";
import { invalid, missing } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import type { Body } from "../contract.ts";
import type { AppEnv } from "./context.ts";
import { refusal } from "./query.ts";
import { readBytes, readType, utf8 } from "./request-bytes.ts";

/** Well above the largest dead letter, which is what an operator may send back. */
const MAX_BODY_BYTES = 1_000_000;

/** What an operator's request for many things has: say what would be done, and do nothing. */
export const dryRun = z.boolean("must be true or false").default(false);

/**
 * The fields of a request's JSON object by its contract's schema; no body is an empty object.
 * @throws HttpFailure naming each field, its value and the rule; 413, 415 for a body that is too large or no JSON
 */
export async function readJsonBody<S extends z.ZodType>(
  c: Context<AppEnv>,
  { schema, called = "this request" }: Pick<Body, "called"> & { schema: S },
): Promise<z.output<S>> {
  const body = await readJsonObject(c);
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      if (issue.code === "unrecognized_keys")
        return issue.keys.map((key) => {
          const path = [...issue.path, key];
          return invalid(path, `is not a field of ${called}`, valueAt(body, path));
        });
      const path = upToList(issue.path);
      const value = valueAt(body, path);
      return [value === undefined ? missing(path.join(".")) : invalid(path, issue.message, value)];
    }),
  );
}

/** What is wrong within a list is wrong with the list: its rule says so. */
function upToList(path: readonly PropertyKey[]): readonly PropertyKey[] {
  const item = path.findIndex((name) => typeof name === "number");
  return item === -1 ? path : path.slice(0, item);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, name) => (isMap(inner) ? inner[String(name)] : undefined), body);
}

async function readJsonObject(c: Context<AppEnv>): Promise<Record<string, unknown>> {
  const bytes = await readBytes(c, MAX_BODY_BYTES);
  const text = utf8(bytes);
  if (text === null) throw refusal([invalid(["body"], "must be UTF-8", "other bytes")]);
  if (text.trim() === "") return {};
  readType(c, ["application/json"]);
  return parseBody(text);
}

function parseBody(text: string): Record<string, unknown> {
  try {
    const body = parseJson(text);
    if (isMap(body)) return body;
  } catch (error) {
    if (error instanceof TooDeep)
      throw new HttpFailure({
        kind: "too_deep",
        problems: [
          {
            field: error.field === "" ? "body" : error.field,
            rule: error.message,
            value: "something deeper",
          },
        ],
      });
    // Said below, in the same words.
  }
  throw refusal([invalid(["body"], "must be a JSON object", text)]);
}
