import { expect, it } from "vitest";
import { seeded } from "../../scripts/demo/random.ts";
import { call } from "./gateway-api.ts";
import { OURS, picker, type Shown, STATUSES, searchedWorld, THERE } from "./searched-world.ts";

/**
 * Searches of runs, page by page, in any state of the tables: by the relay's token, by the place of the last run, and all at
 * once they are what a plain sort of all runs gives.
 */

const GAMES = 24;
const SEARCHES = 8;
/** So many are there at most, several times over. */
const ENDLESS = 200;

type Found = { run_id: string; start_time: number };
type Filter = [filter: string, fits: (run: Shown) => boolean];

async function page(asked: object): Promise<{ runs: Found[]; token: string | undefined }> {
  const { status, body } = await call("runs/search", asked);
  expect(status, JSON.stringify({ asked, body })).toBe(200);
  const { runs = [], next_page_token }: { runs?: { info: Found }[]; next_page_token?: string } = body;
  return { runs: runs.map(({ info }) => info), token: next_page_token };
}

/** The ids of all pages. @param next the token that the next one is asked with */
async function pages(asked: object, next: (token: string, read: number, last: Found | undefined) => string) {
  const ids: string[] = [];
  for (let page_token = ""; ; ) {
    const { runs, token } = await page({ ...asked, page_token });
    ids.push(...runs.map(({ run_id }) => run_id));
    if (token === undefined || ids.length > ENDLESS) return ids;
    page_token = next(token, ids.length, runs.at(-1));
  }
}

const byPlace = (_token: string, offset: number, last: Found | undefined) =>
  btoa(JSON.stringify({ offset, after: [last?.start_time, last?.run_id] }));

function filters(status: string, named: readonly string[]): Filter[] {
  const list = named.map((id) => `'${id}'`).join(", ");
  const isNamed = ({ names }: Shown) => names.some((name) => named.includes(name));
  const byName: Filter[] = [
    [`run_id IN (${list})`, isNamed],
    [`status = 'RUNNING' and run_id IN (${list})`, (run) => run.status === "RUNNING" && isNamed(run)],
    [`run_id = '${named[0]}'`, ({ names }) => names.includes(named[0] ?? "")],
    [`run_id NOT IN (${list})`, (run) => !isNamed(run)],
  ];
  return [
    ["", () => true],
    [`attributes.status = '${status}'`, (run) => run.status === status],
    [`attributes.status != '${status}'`, (run) => run.status !== status],
    ["params.odd = '1'", ({ odd }) => odd === "1"],
    [`params.odd = '1' and status = '${status}'`, (run) => run.odd === "1" && run.status === status],
    ["start_time > 0", ({ start }) => start > 0],
    ["start_time <= 1 and start_time != 0", ({ start }) => start <= 1 && start !== 0],
    ["run_name LIKE 'n1%'", ({ name }) => name === "n1"],
    ...(named.length === 0 ? [] : byName),
  ];
}

const VIEWS = {
  ACTIVE_ONLY: ["active"],
  DELETED_ONLY: ["deleted"],
  ALL: ["active", "deleted"],
};

it.each(Array.from({ length: GAMES }, (_, game) => game + 1))(
  "all pages are one, and that is all that there is, in order: world %i",
  async (seed) => {
    const random = seeded(seed);
    const pick = picker(random);
    const world = await searchedWorld(random);
    for (let search = 0; search < SEARCHES; search++) {
      const experiment_ids = [...OURS, ...THERE, "77"].filter(() => random() < pick([0.2, 0.9]));
      if (experiment_ids.length === 0) continue;
      const named = world.all.filter(() => random() < 0.2).map(({ names }) => pick(names));
      const [filter, fits] = pick(filters(pick(STATUSES), named));
      const [run_view_type, stages] = pick(Object.entries(VIEWS));
      const way = pick(["", "DESC", "ASC"]);
      const order_by = way === "" ? [] : [`attributes.start_time ${way}`];
      const asked = { experiment_ids, filter, run_view_type, order_by };
      const sign = way === "ASC" ? 1 : -1;
      const expected = world
        .seenIn(experiment_ids)
        .filter((run) => fits(run) && stages.includes(run.stage))
        .toSorted((a, b) => sign * (a.start - b.start) || (a.id < b.id ? -1 : 1))
        .map(({ id }) => id);
      const max_results = pick([1, 2, 3, 7, 20]);
      const { runs } = await page({ ...asked, max_results: 50_000 });
      const found = {
        whole: runs.map(({ run_id }) => run_id),
        byToken: await pages({ ...asked, max_results }, (token) => token),
        byPlace: await pages({ ...asked, max_results }, byPlace),
      };
      const each = { whole: expected, byToken: expected, byPlace: expected };
      expect(found, JSON.stringify({ ...asked, max_results })).toEqual(each);
    }
  },
);
