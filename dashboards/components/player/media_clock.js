/**
 * The video's clock and the transcript's. A transcript counts from a file's first timestamp; some browsers count from 0,
 * and start to play at that timestamp.
 */

const SMALLEST_S = 0.05;

/**
 * By how much the video's clock is ahead of the transcript's.
 *
 * @param {number} first_s  where the video stands as soon as its metadata are there
 * @param {number} start_s  the file's first timestamp
 */
export function aheadOf(first_s, start_s) {
  return start_s > SMALLEST_S && Math.abs(first_s - start_s) < first_s ? start_s : 0;
}

/**
 * Move the cues of a track to the video's clock.
 *
 * @param {{ cues: ArrayLike<{ startTime: number, endTime: number }> | null }} track
 * @param {number} by_s
 */
export function delay(track, by_s) {
  for (const cue of Array.from(track.cues ?? [])) {
    cue.startTime += by_s;
    cue.endTime += by_s;
  }
}
