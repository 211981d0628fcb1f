import { expect, test } from "vitest";
import { readBody } from "../../../src/gateway/requests/body.ts";
import { outcome, refused } from "./refused.ts";

const JSON_TYPE = "application/json";
const bytes = (text: string) => new TextEncoder().encode(text);

test.each<[string, unknown]>([
  ['{"a":1}', { a: 1 }],
  ['{"a":NaN,"b":[-Infinity,"NaN"]}', { a: Number.NaN, b: [-Infinity, "NaN"] }],
  ["", {}],
  [" \n", {}],
  ["null", {}],
  ['"{\\"a\\": \\"NaN\\"}"', { a: "NaN" }],
  ['\ufeff{"a":1}', { a: 1 }],
  ['{"a":1,"a":2}', { a: 2 }],
  ["{", refused("Bad Request. The body must be JSON.")],
  ['"x"', refused("Bad Request. The body must be JSON.")],
  ["[]", refused("Bad Request. The body must be a JSON object.")],
  ["5", refused("Bad Request. The body must be a JSON object.")],
  ["NaN", refused("Bad Request. The body must be a JSON object.")],
  [
    `{"a":${"[".repeat(200)}${"]".repeat(200)}}`,
    refused("Bad Request. The body must nest at most 100 deep."),
  ],
  [`{"a":[${"1,".repeat(300_000)}1]}`, refused("Bad Request. The body must hold at most 250000 values.")],
])("body %#", (text, expected) => {
  expect(outcome(() => readBody(JSON_TYPE, bytes(text)))).toEqual(expected);
});

test.each<[string | null, unknown]>([
  ["application/json; charset=utf-8", {}],
  ["text/plain", refused("Bad Request. Content-Type must be one of ['application/json'].")],
  ["", refused("Bad Request. Content-Type must be one of ['application/json'].")],
  [null, refused("Bad Request. Content-Type header is missing.")],
])("the content type %s", (type, expected) => {
  expect(outcome(() => readBody(type, bytes("{}")))).toEqual(expected);
});

test("bytes that are no UTF-8", () => {
  const body = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d);
  expect(outcome(() => readBody(JSON_TYPE, body))).toEqual(
    refused("Bad Request. The body must be JSON in UTF-8."),
  );
});
