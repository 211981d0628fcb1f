import { customType } from "drizzle-orm/sqlite-core";

/** A metric value as stored: a number, or the text NaN, Infinity or -Infinity. No column affinity. */
export const metricValue = customType<{ data: number | string }>({ dataType: () => "blob" });
