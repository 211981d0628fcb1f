import { keepTimes } from "./lib/ago.ts";
import { addCopyButtons } from "./lib/copy.ts";
import { keepPageFresh } from "./lib/fresh-page.ts";
import { followMlflowAddress } from "./lib/mlflow-address.ts";
import { listenForPalette } from "./lib/palette.ts";
import { sayWhatIsStale } from "./lib/stale.ts";
import { keepStatus } from "./lib/status.ts";
import { listenForTheme } from "./lib/theme-toggle.ts";

/** What every page has. */

followMlflowAddress();
listenForTheme();
listenForPalette();
addCopyButtons();
sayWhatIsStale();
keepTimes();
keepPageFresh();
keepStatus();

for (const select of document.querySelectorAll<HTMLSelectElement>("select[data-submit]"))
  select.addEventListener("change", () => select.form?.requestSubmit());

// An empty field is no filter.
for (const form of document.querySelectorAll<HTMLFormElement>("form.filter"))
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });
