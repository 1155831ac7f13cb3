/** 0.9996 → "99.9 %": an answer that is not certain never reads 100. */
export function percent(share) {
  const shown = share < 1 ? Math.min(99.9, share * 100) : 100
  return `${shown.toFixed(1)}\u00a0%`
}

/** 0.42 → "0.4 ms", 12.3 → "12 ms", 2340 → "2.3 s". */
export function duration(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}\u00a0s`
  return `${ms.toFixed(ms < 10 ? 1 : 0)}\u00a0ms`
}

/** 14239897 → "14 MB". */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))}\u00a0kB`
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)}\u00a0MB`
}

/** Middle of a list of numbers; NaN of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
