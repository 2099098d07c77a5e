/** What the API answers to the player, put together of the generated parts. */
import type { EditedWord, PinnedCue, StoredRedecoding, StoredSeam, StoredSegment } from "../contracts.js";

export type { Chapter, Comment, Edit, HighlightedPassage, Note, Reply, StoredRedecoding, StoredSeam, StoredSegment, SummaryState, Version, VersionChange } from "../contracts.js";

/** What a segment on the page is made of: one that is stored, or an edit of one. */
export interface SegmentSource {
  start_s: number;
  end_s: number;
  text: string;
  speaker?: string | null;
  language?: string | null;
  words?: EditedWord[] | null;
}

export interface StoredTranscript {
  version?: number;
  segments?: StoredSegment[];
  pinned_cues?: PinnedCue[];
  reheard?: StoredRedecoding[];
  seams?: StoredSeam[];
}

/** The text so far of a recording that is still being transcribed. */
export interface PartialTranscript {
  partial: boolean;
  attempt: number;
  /** How many parts are left out, because the page has them. */
  after: number;
  parts: number;
  until_s: number;
  segments: StoredSegment[];
}
