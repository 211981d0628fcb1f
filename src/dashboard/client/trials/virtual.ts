import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { useEffect, useLayoutEffect, useState } from "hono/jsx/dom";

type Virtual = {
  count: number;
  element: () => HTMLElement | null;
  sizeAt: (index: number) => number;
  /** What stands before the first, and stays there when it is scrolled. */
  leadingPx: number;
  overscan: number;
  horizontal?: boolean;
};

/** Which rows or columns are near what is seen of a scrolled element; the component is drawn again when they change. */
export function useVirtual({ count, element, sizeAt, leadingPx, overscan, horizontal = false }: Virtual) {
  const [, draw] = useState(0);
  const options = {
    count,
    getScrollElement: element,
    estimateSize: sizeAt,
    paddingStart: leadingPx,
    scrollPaddingStart: leadingPx,
    overscan,
    horizontal,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => draw((times) => times + 1),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtual.setOptions(options);
  useLayoutEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => virtual._willUpdate());
  // The sizes of other columns are not those that were.
  const sizes = horizontal ? Array.from({ length: count }, (_, i) => sizeAt(i)).join() : "";
  useEffect(() => virtual.measure(), [sizes]);
  return virtual;
}
