import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import * as z from "zod";
import { foldAll, idOf, post, request } from "./api.ts";

const listed = z.object({ model_artifacts: z.array(z.unknown()) });
const IDS = { model_run_id: "models", trial_id: "t" };
const CHECKSUM = "9f86d081884c7d65";

test("models are listed from the moment that they are told of, folded or not, and are tags of the trial", async () => {
  await post({ event: "ml.trial.start", ...IDS, spectral_norm: false });
  const id = await idOf("t");
  const list = async () =>
    listed.parse((await request(`/api/trials/${id}/model-artifacts`)).body).model_artifacts;
  expect(await list()).toEqual([]);
  await post({ event: "ml.artifact.created", ...IDS, uri: "s3://m/a", checksum: CHECKSUM, bytes: 12 });
  await post({ event: "ml.artifact.promoted", ...IDS, checksum: CHECKSUM, semver: "1.0.0" });
  const promoted = { uri: "s3://m/a", bytes: 12, status: "promoted", semver: "1.0.0" };
  expect(await list()).toMatchObject([promoted]);
  await foldAll();
  await post({ event: "ml.artifact.created", ...IDS, uri: "s3://m/a", checksum: CHECKSUM, bytes: 12 });
  expect(await list()).toMatchObject([promoted]);
  await foldAll();
  expect(await list()).toMatchObject([promoted]);
  expect((await request(`/api/trials/${id}`)).body).toMatchObject({
    tags: {
      [`model_artifact.${CHECKSUM}.status`]: "promoted",
      [`model_artifact.${CHECKSUM}.semver`]: "1.0.0",
    },
  });
  expect(await request("/api/trials/nobody/model-artifacts")).toMatchObject({ status: 404 });
});

test("a model keeps the checksum of its creation, however a promotion writes it, and before or after it", async () => {
  const whole = `sha256:${CHECKSUM}9a2feaa0c55ad015a3bf4f1b2b0b822c`;
  const created = { event: "ml.artifact.created", uri: "s3://m/c", checksum: whole };
  const promoted = { event: "ml.artifact.promoted", checksum: CHECKSUM.toUpperCase() };
  for (const [trial_id, told] of [
    ["after", [created, promoted]],
    ["before", [promoted, created]],
  ] as const) {
    await post(told.map((event) => ({ ...IDS, trial_id, ...event })));
    expect(await request(`/api/trials/${await idOf(trial_id)}/model-artifacts`)).toMatchObject({
      body: { model_artifacts: [{ id: CHECKSUM, checksum: whole, status: "promoted" }] },
    });
  }
});

test("an upload that names its version is a model, once, whose promotion goes by its digest", async () => {
  await post({ event: "ml.trial.start", ...IDS, trial_id: "u", spectral_norm: false });
  const id = await idOf("u");
  const put = (query: string) =>
    request(`/api/trials/${id}/artifacts/m/weights.bin${query}`, {
      method: "PUT",
      body: "weights",
      headers: { "content-length": "7" },
    });
  expect(await put("?semver=one")).toMatchObject({ status: 400, body: { errors: [{ field: "semver" }] } });
  for (let i = 0; i < 2; i++) expect(await put("?semver=1.0.0")).toMatchObject({ status: 200 });
  const { model_artifacts } = listed.parse((await request(`/api/trials/${id}/model-artifacts`)).body);
  expect(model_artifacts).toMatchObject([
    { uri: `/api/trials/${id}/artifacts/m/weights.bin`, bytes: 7, status: "created", semver: "1.0.0" },
  ]);
  const sha256 = createHash("sha256").update("weights").digest("hex");
  await post({ event: "ml.artifact.promoted", ...IDS, trial_id: "u", checksum: sha256 });
  expect(await request(`/api/trials/${id}/model-artifacts`)).toMatchObject({
    body: { model_artifacts: [{ status: "promoted", semver: "1.0.0" }] },
  });
});
