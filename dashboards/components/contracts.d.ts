// Made by `python -m tests.dashboards.components.declarations`; a test compares. Do not edit.

export interface CueSettings {
  max_line_width: number;
  max_line_count: number;
  min_duration_s: number;
  max_duration_s: number;
  max_chars_per_s: number;
  min_gap_s: number;
  highlight_words: boolean;
  speakers: boolean;
  byte_order_mark: boolean;
}

export interface LoginData {
  action: string;
  fields: Record<string, string>[];
  leave_to: string | null;
  provider: string | null;
  text: LoginText;
}

export interface SessionData {
  me: string;
  name: string;
  everybody: boolean;
  events_seen: number;
  warn_s: number;
  theme: string;
  language: string;
  paths: string[];
  text: SessionText;
}

export interface DockData {
  everybody: boolean;
  events_seen: number;
  name: string;
  role: string;
  run: number;
  text: DockText;
}

export interface LiveData {
  owner: string | null;
  job: string | null;
  everybody: boolean;
}

export interface UploadSettings {
  owner: string;
  options: string;
  lane: string;
  tags: string;
  max_bytes: number;
  free_bytes: number;
  shared: boolean;
  direct: boolean;
}

export interface UploadJob {
  kind: string;
  label: string;
  active: boolean;
  progress: number;
  detail: string;
  error: string | null;
}

export interface InputFormatChoice {
  value: string;
  label: string;
  rate_hz: number | null;
  endings: string[];
}

export interface HeaderlessChoices {
  formats: InputFormatChoice[];
  lowest_hz: number;
  highest_hz: number;
  max_channels: number;
}

export interface UploaderData {
  settings: UploadSettings;
  headerless: HeaderlessChoices;
  jobs: Record<string, UploadJob>;
  text: UploaderText;
}

export interface JobProgress {
  about: string;
  length: string;
  state: string;
  kind: string;
  label: string;
  active: boolean;
  held: boolean;
  progress: number;
  left: string;
  error: string | null;
}

export interface JobRow {
  about: string;
  length: string;
  state: string;
  kind: string;
  label: string;
  active: boolean;
  held: boolean;
  progress: number;
  left: string;
  error: string | null;
  id: string;
  name: string;
  owner: string | null;
  tags: string[];
  shared: boolean;
  when: string;
  when_exact: string;
  created: string;
}

export interface ListFilter {
  key: string;
  label: string;
  count: number | null;
  on: boolean;
}

export interface ListAction {
  name: string;
  label: string;
  confirm: string | null;
  deleted: boolean;
  shared: boolean;
  held: boolean | null;
  states: string[];
}

export interface ListPage {
  rows: JobRow[];
  owner: string | null;
  everybody: boolean;
  actions: ListAction[];
  deleted: boolean;
  filters: ListFilter[];
  query: Record<string, string>;
  narrowed: boolean;
  after: string | null;
  first: boolean;
  nothing: string;
  languages: [string, string][];
  models: string[];
  tags: string[];
  owners: [string, string][];
  facts: [string, string][];
}

export interface JobListData {
  rows: JobRow[];
  owner: string | null;
  everybody: boolean;
  actions: ListAction[];
  deleted: boolean;
  filters: ListFilter[];
  query: Record<string, string>;
  narrowed: boolean;
  after: string | null;
  first: boolean;
  nothing: string;
  languages: [string, string][];
  models: string[];
  tags: string[];
  owners: [string, string][];
  facts: [string, string][];
  run: number;
  crowd: number;
  text: JobListText;
}

export interface FindingRow {
  start_s: number;
  end_s: number;
  words: string;
}

export interface PartialProgress {
  attempt: number;
  parts: number;
  share: number;
}

export interface PlayedMedia {
  source: string;
  start_s: number;
  copy: string | null;
  copy_first: boolean;
}

export interface RecordingFacts {
  api: string;
  transcript: string;
  duration_s: number | null;
  media: PlayedMedia;
  language: string | null;
  translated: boolean;
  timed: boolean;
  name: string;
  findings: FindingRow[];
  limits: CueSettings;
}

export interface PlayerData {
  api: string;
  transcript: string;
  duration_s: number | null;
  media: PlayedMedia;
  language: string | null;
  translated: boolean;
  timed: boolean;
  name: string;
  findings: FindingRow[];
  limits: CueSettings;
  peaks: string | null;
  captions: string;
  version: number;
  notes: number;
  passages: number;
  owns: boolean;
  revision: number;
  may_edit: boolean;
  may_comment: boolean;
  sheets: string[];
  partial: PartialProgress | null;
  text: PlayerText;
}

export interface DownloadFile {
  url: string;
  name: string;
  format: string;
  about: string;
  settings: string[];
}

export interface DownloadsData {
  files: DownloadFile[];
  captions: CueSettings;
  text: DownloadsText;
}

export interface SearchMoment {
  start_s: number;
  time: string;
  speaker: string | null;
  parts: [string, boolean][];
}

export interface SearchResult {
  id: string;
  name: string;
  about: string;
  moments: SearchMoment[];
  more: string;
}

export interface SearchAnswer {
  results: SearchResult[];
  hints: string[];
  behind: string | null;
  count: string | null;
  page: number;
  pages: number;
  place: string;
}

export interface SearchData {
  results: SearchResult[];
  hints: string[];
  behind: string | null;
  count: string | null;
  page: number;
  pages: number;
  place: string;
  q: string;
  everybody: boolean | null;
  examples: [string, string][];
  recent: string[];
  text: SearchText;
}

export interface StoredWord {
  start_s: number;
  end_s: number;
  text: string;
  probability: number;
}

export interface StoredSegment {
  start_s: number;
  end_s: number;
  text: string;
  words: StoredWord[];
  speaker: string | null;
  avg_logprob: number;
  compression_ratio: number;
  no_speech_prob: number;
  temperature: number;
  language: string | null;
}

export interface StoredRedecoding {
  start_s: number;
  end_s: number;
  doubts: string[];
  first_text: string;
  second_text: string;
  kept: string;
}

export interface StoredSeam {
  at_s: number;
  overlap_s: number;
  silence_s: number;
  before: string;
  after: string;
  before_gap_s: number | null;
  after_gap_s: number | null;
  agreed: number;
  doubt: string;
}

export interface PinnedCue {
  start_s: number;
  end_s: number;
  from_s: number;
  until_s: number;
  speaker: string | null;
}

export interface Alignment {
  id: string;
  state: string;
  progress: number;
  detail: string;
  base: number;
  version: number | null;
  made_at: string;
}

export interface Edit {
  start_s: number;
  end_s: number;
  text: string;
  speaker?: string | null;
  from?: number[] | null;
  words?: EditedWord[] | null;
}

export interface EditedWord {
  start_s: number;
  end_s: number;
  text: string;
  probability?: number;
}

export interface Note {
  text: string;
  at_s?: number | null;
  id: string;
  made_by: string;
  made_at: string;
  changed_at: string | null;
}

export interface Version {
  version: number;
  made_by: string;
  made_at: string;
  note: string;
  changed: number;
}

export interface VersionChange {
  start_s: number;
  end_s: number;
  before: string[];
  after: string[];
}

export interface Reply {
  id: string;
  text: string;
  made_by: string;
  made_at: string;
  changed_at: string | null;
  mine: boolean;
  may_remove: boolean;
}

export interface Comment {
  id: string;
  text: string;
  made_by: string;
  made_at: string;
  changed_at: string | null;
  mine: boolean;
  may_remove: boolean;
  start_s: number;
  end_s: number;
  quote: string;
  resolved_at: string | null;
  resolved_by: string | null;
  replies: Reply[];
}

export interface HighlightedPassage {
  colour: "yellow" | "green" | "blue" | "pink";
  start_s: number;
  end_s: number;
  quote: string;
  id: string;
  made_by: string;
  made_at: string;
  may_change: boolean;
}

export interface UnseenComment {
  id: string;
  job_id: string;
  name: string;
  start_s: number;
  text: string;
  made_by: string;
  made_at: string;
}

export interface SummaryOffer {
  url: string;
  host: string;
  model: string;
  version: number;
  chars: number;
  parts: number;
}

export interface SummaryRun {
  part: number;
  parts: number;
}

export interface Chapter {
  start_s: number;
  end_s: number;
  title: string;
}

export interface StoredSummary {
  version: number;
  text: string;
  chapters: Chapter[];
  model: string;
  host: string;
  made_by: string;
  made_at: string;
}

export interface SummaryState {
  summary: StoredSummary | null;
  running: SummaryRun | null;
  problem: string | null;
  offer: SummaryOffer | null;
}

export type LoginText = {
  submit: string;
  busy: string;
  show: string;
  hide: string;
  wrong: string;
  refused: string;
  offline: string;
};

export type SessionText = {
  title: string;
  idle: string;
  old: string;
  old_elsewhere: string;
  stay: string;
  renew: string;
  later: string;
  password: string;
  wrong: string;
  offline: string;
  lost: string;
  no_websocket: string;
  completed: string;
  failed: string;
  commented: string;
  open: string;
  close: string;
};

export type DockText = {
  leave: string;
  leave_while_sending: string;
  leave_failed: string;
  sending: string;
  sending_one: string;
};

export type UploaderText = {
  lead: string;
  lead_touch: string;
  formats: string;
  choose_files: string;
  choose_folder: string;
  one_file: string;
  files: string;
  clear: string;
  unfinished: string;
  choose_again: string;
  discard: string;
  open: string;
  pause: string;
  resume: string;
  cancel: string;
  again: string;
  remove: string;
  waiting: string;
  paused: string;
  offline: string;
  waiting_server: string;
  checking: string;
  uploaded: string;
  left: string;
  empty: string;
  no_answer: string;
  signed_out: string;
  refused: string;
  record: string;
  record_stop: string;
  record_on: string;
  mic_recording: string;
  mic_paused: string;
  recording_name: string;
  recording_kept: string;
  level: string;
  mic_saving: string;
  not_allowed: string;
  no_microphone: string;
  not_kept: string;
  kept: string;
  send: string;
  discard_sure: string;
  looking: string;
  known: string;
  known_waiting: string;
  open_it: string;
  hear_again: string;
  skip_known: string;
  all_files: string;
  left_out: string;
  left_out_one: string;
  header_missing: string;
  input_format: string;
  sample_rate: string;
  input_channels: string;
  describe: string;
  limit: string;
  too_large: string;
  no_room: string;
};

export type JobListText = {
  name: string;
  sort: string;
  from: string;
  to: string;
  language: string;
  model: string;
  tag: string;
  owner: string;
  any: string;
  filter: string;
  clear: string;
  pages: string;
  top: string;
  next: string;
  sorts: {
    newest: string;
    oldest: string;
    name: string;
    longest: string;
    shortest: string;
    state: string;
  };
  all: string;
  chosen: string;
  several: string;
  format: string;
  usual_formats: string;
  formats: {
    srt: string;
    vtt: string;
    txt: string;
    json: string;
    tsv: string;
    docx: string;
    ass: string;
    ttml: string;
    sbv: string;
  };
  keep: string;
  tags_field: string;
  tags_add: string;
  tags_remove: string;
};

export type PlayerText = {
  play: string;
  pause: string;
  back: string;
  ahead: string;
  seek: string;
  speed: string;
  link: string;
  copied: string;
  keys: string;
  close: string;
  captions: string;
  follow: string;
  loading: string;
  no_transcript: string;
  no_speech: string;
  language: string;
  partial: string;
  partial_far: string;
  partial_waiting: string;
  no_answer: string;
  play_from: string;
  cannot_play: string;
  no_output: string;
  media_away: string;
  media_refused: string;
  download_original: string;
  sheets: {
    script: string;
    cues: string;
    review: string;
    notes: string;
    comments: string;
    summary: string;
    versions: string;
  };
  tools: {
    edit: string;
    edit_end: string;
    find: string;
    follows: string;
    shade: string;
    doubt: string;
    correct: string;
  };
  tool_help: {
    edit: string;
    find: string;
    follows: string;
    shade: string;
    doubt: string;
    correct: string;
  };
  sure: string;
  no_doubts: string;
  add_speaker: string;
  speaker: string;
  name_one: string;
  name_all: string;
  name_unnamed: string;
  line_at: string;
  find: string;
  replace: string;
  found: string;
  found_at: string;
  replaced: string;
  replaced_one: string;
  undo: string;
  no_pattern: string;
  endless: string;
  find_options: {
    letters: string[];
    whole: string[];
    pattern: string[];
  };
  find_acts: {
    before: string;
    next: string;
    one: string;
    all: string;
    close: string;
  };
  save: {
    undo: string;
    redo: string;
    discard: string;
    save: string;
  };
  unsaved: string;
  unsaved_one: string;
  nothing_unsaved: string;
  saved: string;
  not_saved: string;
  again: string;
  ask_discard: string;
  keep_editing: string;
  overtaken: string;
  put_on_top: string;
  on_top: string;
  both_changed: string;
  see_theirs: string;
  draft: string;
  take_up: string;
  save_first: string;
  review_lead: string;
  nothing_found: string;
  reheard: string;
  reheard_one: string;
  kept: {
    first: string;
    second: string;
  };
  silence: string;
  seams: string;
  seams_one: string;
  seam_silence: string;
  seam_overlap: string;
  no_notes: string;
  note: string;
  note_at: string;
  add_note: string;
  change: string;
  remove: string;
  sure_of_it: string;
  versions_lead: string;
  one_version: string;
  engine: string;
  current: string;
  changed_one: string;
  changed_all: string;
  see_changes: string;
  restore: string;
  restored: string;
  cues_loading: string;
  no_cues: string;
  cues_one: string;
  cues_all: string;
  warned_one: string;
  warned_all: string;
  next_warning: string;
  rule: string;
  cps: string;
  cue_at: string;
  edge: {
    start: string;
    end: string;
  };
  nudge: {
    start: string;
    end: string;
  };
  timeline: {
    about: string;
    acts: {
      out: string[];
      in: string[];
      fit: string[];
      split: string[];
      merge: string[];
    };
    pinned: string;
    pinned_about: string;
    no_split: string;
    no_merge: string;
  };
  correct: {
    open: string;
    lead: string;
    text: string;
    choose: string;
    send: string;
    cancel: string;
    waiting: string;
    running: string;
    done: string;
    ended: string;
    cancelled: string;
    unreadable: string;
    empty: string;
    missing: string;
  };
  warnings: {
    fast: string;
    wide: string;
    lines: string;
    short: string;
    long: string;
  };
  speaker_keys: string;
  listening: {
    lead: string;
    press: string;
    not_free: string;
    reset: string;
    acts: {
      play: string;
      back: string;
      ahead: string;
      slower: string;
      faster: string;
    };
  };
  shortcuts: [string[], string][];
  passages: {
    tools: string;
    comment: string;
    comment_line: string;
    highlight: string;
    copy: string;
    link: string;
    copied: string;
    not_copied: string;
    colours: {
      yellow: string;
      green: string;
      blue: string;
      pink: string;
    };
    colour: string;
    marker_one: string;
    marker_all: string;
    new: string;
    at: string;
    write: string;
    answer: string;
    send: string;
    reply: string;
    save: string;
    cancel: string;
    change: string;
    remove: string;
    resolve: string;
    reopen: string;
    resolved_by: string;
    gone: string;
    edited: string;
    none: string;
    nothing: string;
    resolved: string;
    comments: string;
    highlights: string;
    no_highlights: string;
    save_as: string;
    formats: {
      md: string;
      txt: string;
    };
  };
  summary: {
    title: string;
    chapters: string;
    about: string;
    outdated: string;
    written_by: string;
    save_as: string;
    formats: {
      md: string;
      vtt: string;
      json: string;
    };
    none: string;
    offer: string;
    what: string;
    requests_one: string;
    requests_all: string;
    where: string;
    not_sent: string;
    send: string;
    send_again: string;
    running: string;
    joining: string;
  };
};

export type DownloadsText = {
  captions: string;
  max_line_count: string;
  max_line_width: string;
  max_chars_per_s: string;
  max_duration_s: string;
  highlight_words: string;
  speakers: string;
  byte_order_mark: string;
  reset: string;
  about: string;
  making: string;
  away: string;
};

export type SearchText = {
  label: string;
  placeholder: string;
  submit: string;
  everybody: string;
  pages: string;
  before: string;
  after: string;
  recent: string;
  examples: string;
  nothing: string;
  nothing_asked: string;
  starting: string;
  behind: string;
};
