import { compact, type Findings, presentFields } from "./facts.ts";
import { FIRST_SEMVER, modelArtifactId, modelArtifactTag } from "./model-artifact.ts";
import { missing } from "./problems.ts";
import { envelope, reader } from "./reading.ts";
import * as schema from "./schemas.ts";
import type { ModelArtifactStatus } from "./words.ts";

/** What the ml.artifact.* events mean: tags of their trial. */

export const readArtifactCreated = reader(schema.artifactCreated, (event, findings) => {
  const { uri, checksum, bytes, semver, spec_id } = event;
  const id = modelArtifactId(event);
  return {
    ...envelope(event),
    points: [],
    facts: compact({
      tags: tagsOf(id, { uri, checksum, bytes, semver, spec_id }, findings),
      // A creation that comes late, or again, takes back nothing.
      defaults: tagsOf(id, { status: "created", semver: FIRST_SEMVER }, findings),
      about: presentFields(event.metadata ?? {}),
    }),
  };
});

/** A reader for what becomes of a model later. */
export function readArtifactMoved(status: Exclude<ModelArtifactStatus, "created">) {
  return reader(schema.artifactMoved, (event, findings) => {
    const { uri = "", checksum, semver } = event;
    if (uri === "" && checksum === undefined) findings.problems.push(missing("checksum"));
    const id = modelArtifactId({ checksum, uri });
    return {
      ...envelope(event),
      points: [],
      facts: compact({
        tags: tagsOf(id, { status, semver, ...(uri === "" ? {} : { uri }) }, findings),
        // It only says which model is meant: how its creation wrote it stands.
        defaults: tagsOf(id, { checksum, semver: FIRST_SEMVER }, findings),
        about: presentFields(event.metadata ?? {}),
      }),
    };
  });
}

type Fields = Record<string, string | number | undefined>;

function tagsOf(id: string, fields: Fields, findings: Findings): Record<string, string> {
  const tags = findings.fieldTags(fields);
  return Object.fromEntries(
    Object.entries(tags).map(([field, value]) => [modelArtifactTag(id, field), value]),
  );
}
