import type { Context } from "hono";
import * as z from "zod";
import { isMap } from "../domain/flatten.ts";
import { invalid, missing } from "../domain/problems.ts";
import type { AppEnv } from "./context.ts";
import { refusal } from "./query.ts";

/**
 * The fields of a request's JSON object by a strict schema; no body is an empty object.
 * @throws HttpFailure invalid_request naming each field, its value and the rule
 */
export async function readJsonBody<S extends z.ZodRawShape>(c: Context<AppEnv>, shape: S) {
  const body = parseBody(await c.req.text());
  const parsed = z.strictObject(shape).safeParse(body);
  if (parsed.success) return parsed.data;
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      if (issue.code === "unrecognized_keys")
        return issue.keys.map((key) => invalid([...issue.path, key], "is not a field of this request", key));
      const value = issue.path.reduce<unknown>(
        (inner, name) => (isMap(inner) ? inner[String(name)] : undefined),
        body,
      );
      return [
        value === undefined ? missing(issue.path.join(".")) : invalid(issue.path, issue.message, value),
      ];
    }),
  );
}

function parseBody(text: string): Record<string, unknown> {
  if (text.trim() === "") return {};
  try {
    const body: unknown = JSON.parse(text);
    if (isMap(body)) return body;
  } catch {
    // Said below, in the same words.
  }
  throw refusal([invalid(["body"], "must be a JSON object", text)]);
}
