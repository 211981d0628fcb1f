import { describe, expect, it } from "vitest";
import * as z from "zod";
import { accepted, ok, resource } from "../../src/routes/contract.ts";
import { maybe, wholeNumber } from "../../src/routes/door/query.ts";
import { Reply } from "../../src/routes/handler.ts";
import { routes } from "../../src/routes/route.ts";

const thing = z.object({ id: z.string(), size: z.number() });
const id = { id: { description: "Its id.", example: "1" } };

const things = resource("Things", "What there is.", {
  getThing: {
    at: "GET /things/:id",
    summary: "Read a thing",
    scope: null,
    path: id,
    query: { size: maybe(wholeNumber(1, 9), "Its size.") },
    answers: ok("The thing.", thing),
  },
});

const made = resource("Made", "What is made.", {
  makeThing: {
    at: "PUT /things/:id/parts/:part{.+}",
    summary: "Make a thing",
    scope: null,
    path: { ...id, part: { description: "A part.", example: "a/b" } },
    answers: {
      200: { description: "It is there already.", schema: thing },
      201: { description: "It is made.", schema: z.object({ made: z.literal(true) }) },
    },
  },
});

describe("a route", () => {
  it("gives what its contract takes to its handler, and answers with the status of its contract", async () => {
    const app = routes(things, {
      getThing: async ({ path, query }) => ({ id: path.id, size: query.size ?? 0 }),
    });
    const answer = await app.request("/things/7?size=3");
    expect([answer.status, answer.headers.get("content-type"), await answer.json()]).toEqual([
      200,
      "application/json",
      { id: "7", size: 3 },
    ]);
  });

  it("that has several answers says which", async () => {
    const app = routes(made, {
      makeThing: async ({ path }) =>
        path.part === "a/b"
          ? new Reply(201, { made: true as const })
          : new Reply(200, { id: path.id, size: 1 }),
    });
    expect((await app.request("/things/7/parts/a/b", { method: "PUT" })).status).toBe(201);
    expect((await app.request("/things/7/parts/c", { method: "PUT" })).status).toBe(200);
  });
});

/** What must not compile; `tsc` says so if it does. */
describe("what drifts from a contract does not compile:", () => {
  it("a contract without a handler, and a handler without a contract", () => {
    // @ts-expect-error
    expect(() => routes(things, {})).toThrow("GET /things/:id has no handler");
    const getThing = async () => ({ id: "7", size: 1 });
    // @ts-expect-error
    expect(routes(things, { getThing, getOther: getThing }).routes).toHaveLength(1);
  });

  it("an answer that lacks a field, has one of another type, or has one more", () => {
    // @ts-expect-error
    routes(things, { getThing: async () => ({ id: "7" }) });
    // @ts-expect-error
    routes(things, { getThing: async () => ({ id: "7", size: "large" }) });
    // @ts-expect-error
    routes(things, { getThing: async () => new Response() });
    // @ts-expect-error
    routes(things, { getThing: async () => ({ id: "7", size: 1, weight: 2 }) });
    const view = { size: 1, weight: 2 };
    // @ts-expect-error
    expect(routes(things, { getThing: async () => ({ id: "7", ...view }) }).routes).toHaveLength(1);
  });

  it("an answer of another status", () => {
    // @ts-expect-error
    routes(made, { makeThing: async () => new Reply(201, { id: "7", size: 1 }) });
    // @ts-expect-error
    routes(made, { makeThing: async () => new Reply(202, { made: true as const }) });
    expect(Object.keys(made.contracts.makeThing.answers)).toEqual(["200", "201"]);
  });

  it("a parameter that is not there, and a part of a path that is not explained", () => {
    // @ts-expect-error
    routes(things, { getThing: async ({ path, query }) => ({ id: path.name, size: query.weight }) });
    const at = "GET /things/:id";
    const open = { at, summary: "Read a thing", scope: null, answers: accepted("It.", thing) } as const;
    // @ts-expect-error
    resource("Things", "What there is.", { getThing: open });
    // @ts-expect-error
    resource("Things", "What there is.", { getThing: { ...open, path: { name: id.id } } });
    expect(resource("Things", "What there is.", { getThing: { ...open, path: id } }).name).toBe("Things");
  });
});
