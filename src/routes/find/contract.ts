import * as z from "zod";
import { found } from "../../answers/find.ts";
import { ok, resource } from "../contract.ts";
import { someText } from "../door/query.ts";
import { STUDY } from "../examples.ts";

const foundList = z.object({ found: z.array(found) }).meta({ id: "FoundList" });

/** `/api/find`: whatever has an id or a name. */
export const find = resource("Find", "What people know by an id or a name, whatever it is.", {
  find: {
    at: "GET /api/find",
    summary: "Find by id or name",
    description:
      "Model runs and experiments with this text anywhere in their id or name, whatever the case of its letters; trials and runs whose id begins with it. A few of each.",
    scope: "read",
    query: {
      text: someText
        .max(250, "must have at most 250 characters")
        .meta({ description: "What to look for.", example: STUDY }),
    },
    answers: ok("What was found.", foundList),
  },
});
