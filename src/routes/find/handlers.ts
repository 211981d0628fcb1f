import { findAnything } from "../../store/views/find.ts";
import { routes } from "../route.ts";
import { find } from "./contract.ts";

export const findRoutes = routes(find, {
  find: async ({ relay, query: { text } }) => ({ found: await findAnything(relay.db, text) }),
});
