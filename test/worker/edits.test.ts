import { expect, it } from "vitest";
import { foldAll, idOf, post, request } from "./api.ts";
import { start } from "./payloads.ts";

const DAY = "2025-01-01T";

it("a further start edits a trial that runs or has ended, and only a resume changes its status", async () => {
  const first = { run_name: "one", description: "first", tags: { team: "a", kept: 1 } };
  await post(start("edited", { occurred_at: `${DAY}10:00:00Z`, ...first }));
  const later = { occurred_at: `${DAY}11:00:00Z`, run_name: "two", tags: { team: "b" } };
  await post(start("edited", later));
  await foldAll();
  const path = `/api/trials/${await idOf("edited")}`;
  expect((await request(path)).body).toMatchObject({
    run_name: "two",
    status: "running",
    started_at: "2025-01-01T10:00:00.000Z",
    tags: { team: "b", kept: "1", "mlflow.note.content": "first" },
  });
  const end = { event: "ml.trial.cancelled", model_run_id: "m", trial_id: "edited" };
  await post([
    { ...end, occurred_at: `${DAY}12:00:00Z`, tags: { team: "c" } },
    start("edited", { occurred_at: `${DAY}13:00:00Z`, description: "looked at", run_name: "three" }),
    // Of an earlier time, whenever it comes: what was said later stands.
    start("edited", { occurred_at: `${DAY}10:30:00Z`, description: "late", run_name: "late" }),
  ]);
  await foldAll();
  expect((await request(path)).body).toMatchObject({
    run_name: "three",
    status: "cancelled",
    ended_at: "2025-01-01T12:00:00.000Z",
    tags: { team: "c", "mlflow.note.content": "looked at" },
  });
  await post(start("edited", { occurred_at: `${DAY}14:00:00Z`, resume: true }));
  await foldAll();
  expect((await request(path)).body).toMatchObject({ status: "running", run_name: "three" });
});

it("a tag of MLflow's own is left out, with its name and the rule, and its event is taken", async () => {
  const { status, body } = await post(start("owned", { tags: { "mlflow.parentRunId": "x", team: "a" } }));
  expect([status, body]).toMatchObject([
    202,
    {
      warnings: [
        {
          field: "tags.mlflow.parentRunId",
          value: '"x"',
          rule: expect.stringContaining("must not begin with mlflow."),
          action: "left_out",
        },
      ],
    },
  ]);
});

it("a tag that a field of its event gives as well is left out with a warning, and the field stands", async () => {
  const { body } = await post(
    start("twice", {
      candidate_id: "c5",
      description: "the field's",
      metadata: { host: "gpu" },
      tags: {
        candidate_id: "c6",
        "metadata.host": "cpu",
        "mlflow.note.content": "the tag's",
        spectral_norm: "true",
        team: "a",
      },
    }),
  );
  const rule = "must not have the name of another tag of its event";
  expect(body).toMatchObject({
    warnings: [
      { field: "tags.mlflow.note.content", value: '"the tag\'s"', rule, action: "left_out" },
      { field: "tags.candidate_id", value: '"c6"', rule, action: "left_out" },
      { field: "tags.metadata.host", value: '"cpu"', rule, action: "left_out" },
    ],
  });
  expect((await request(`/api/trials/${await idOf("twice")}`)).body).toMatchObject({
    tags: {
      candidate_id: "c5",
      "metadata.host": "gpu",
      "mlflow.note.content": "the field's",
      spectral_norm: "true",
      team: "a",
    },
  });
});

it("who runs it is known by a number of any length, and by the actor where the metadata has nobody", async () => {
  const numbered = JSON.stringify(start("numbered", { metadata: { user_id: 0 } }));
  await post(numbered.replace('"user_id":0', '"user_id":12345678901234567890'));
  await post(start("acted", { metadata: { user_id: { first: "Ada" } }, actor: { id: "ada" } }));
  const userOf = async (trial: string) => (await request(`/api/trials/${await idOf(trial)}`)).body;
  expect(await userOf("numbered")).toMatchObject({ fields: { user: "12345678901234567890" } });
  expect(await userOf("acted")).toMatchObject({ fields: { user: "ada" } });
});
