import type { ArtifactView } from "../../answers/artifacts.ts";
import type { FileListed } from "../../relay/artifacts/list.ts";
import type { Artifact } from "../../store/artifacts/files.ts";
import { iso } from "../../store/listing/common.ts";

/** A file or directory as it is shown. */
export function viewOf({ path, isDir, bytes, own }: FileListed): ArtifactView {
  if (own) return ownView(own);
  return {
    path,
    is_dir: isDir,
    bytes,
    sha256: null,
    content_type: null,
    version: null,
    state: isDir ? null : "mlflow",
    error: null,
    updated_at: null,
    delivered_at: null,
  };
}

/** The same of a file that went straight to MLflow. */
export function passedView(file: {
  path: string;
  bytes: number;
  sha256: string;
  contentType: string;
}): ArtifactView {
  return {
    ...viewOf({ path: file.path, isDir: false, bytes: file.bytes, own: null }),
    sha256: file.sha256,
    content_type: file.contentType,
  };
}

/** The same of a file that the relay has. */
export function ownView(file: Artifact): ArtifactView {
  const isDelivered = file.deliveredVersion >= file.version;
  return {
    path: file.path,
    is_dir: false,
    bytes: file.bytes,
    sha256: file.sha256,
    content_type: file.contentType,
    version: file.version,
    state: isDelivered ? "delivered" : file.blockedReason === null ? "waiting" : "blocked",
    error: isDelivered ? null : (file.blockedReason ?? file.lastError),
    updated_at: iso(file.updatedAt),
    delivered_at: iso(file.deliveredAt),
  };
}
