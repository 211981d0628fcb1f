import { chromium, type Page } from "playwright-core";
import { chromiumArguments, chromiumPath } from "../scripts/lib/chromium.ts";
import { countedRelay } from "./counted.ts";
import { TOKEN } from "./relay.ts";
import { studyStatements } from "./study-statements.ts";

/** What a browser here waits for, and how much it is sent. Times in milliseconds since the page was asked for. */
export type PageFigure = {
  page: string;
  firstPaintMs: number;
  readyMs: number;
  bytes: number;
  rowsRead: number;
};

const TRIALS = 2_000;
const CURVES = 20;
const POINTS = 100_000;
const STUDY = "pages";
const WAIT_MS = 60_000;

/**
 * Opens the dashboard's largest pages in Chromium: a model run of 2,000 trials, and 20 trials with 100,000 points each
 * in one chart, for the first time and again.
 */
export async function measurePages(
  stateDir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<PageFigure[]> {
  const relay = await countedRelay(stateDir, { MLFLOW_TRACKING_URI: mlflowUri, MLFLOW_ENABLED: "false" });
  const browser = await chromium.launch({
    executablePath: await chromiumPath(),
    args: chromiumArguments(),
  });
  try {
    say(`pages: ${TRIALS} trials, ${CURVES} of them with ${POINTS} points`);
    const { statements, keys } = studyStatements({
      study: STUDY,
      trials: TRIALS,
      long: CURVES,
      points: POINTS,
    });
    for (const statement of statements) await relay.run([statement]);
    const context = await browser.newContext({ baseURL: relay.url });
    const page = await context.newPage();
    await signIn(page);
    const open = async (what: string, path: string, ready: string): Promise<PageFigure> => {
      say(`pages: ${what}`);
      let figure = { firstPaintMs: 0, readyMs: 0, bytes: 0 };
      const { request } = await relay.countNow(async (headers) => {
        await context.setExtraHTTPHeaders(headers);
        figure = await opened(page, path, ready);
      });
      await page.goto("about:blank");
      return { page: what, ...figure, rowsRead: request.rowsRead };
    };
    const curves = `/compare?trials=${keys.join(",")}`;
    const drawn = '#curves figure[data-key="loss"][data-range]:not([data-points="0"])';
    // Once, so that what every page has is in the browser.
    await opened(page, "/", "main");
    return [
      await open("model runs", "/", "table.list tbody tr"),
      await open(
        `a model run of ${TRIALS} trials`,
        `/model-runs/${STUDY}`,
        "[role=grid] [role=row] a, table tbody tr a",
      ),
      await open(`${CURVES} trials with ${POINTS} points each`, curves, drawn),
      await open("the same again", curves, drawn),
      await open("one of them", `/trials/${keys[0]}`, drawn),
    ];
  } finally {
    await browser.close();
    await relay.stop();
  }
}

async function signIn(page: Page): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("/");
}

/** @param ready a selector of what the page is opened for */
async function opened(page: Page, path: string, ready: string) {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await session.send("Network.enable");
  await page.goto(path);
  // Curves are drawn once they are in view, and what comes above them moves them out of it.
  const curves = page.locator('#curves figure[data-key="loss"]');
  for (const until = Date.now() + WAIT_MS; !(await page.$(ready)) && Date.now() < until; )
    if (ready.startsWith("#curves")) await curves.scrollIntoViewIfNeeded({ timeout: WAIT_MS });
  await page.waitForSelector(ready, { timeout: WAIT_MS });
  const readyMs = await page.evaluate<number>("performance.now()");
  const firstPaintMs = await page.evaluate<number>(
    "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0",
  );
  await session.detach();
  return { firstPaintMs, readyMs, bytes };
}
