/** What Streamlit hands to a component's module each time that its data has changed. */
export interface Mounted<Data> {
  data: Data;
  parentElement: HTMLElement | ShadowRoot;
  /** Run the page again; the server sees the value in that one run. */
  setTriggerValue(name: string, value: unknown): void;
}

/** What the server tells over /events: something of a job has changed, or something was missed. */
export interface JobEvent {
  job_id: string;
  owner_id: string;
  state?: string;
  attempt?: number;
  /** How many open pages hear the same. */
  crowd?: number;
  /** What changes in the job's row, where the event carries it. */
  row?: Partial<import("../contracts.js").JobRow>;
  /** A comment that somebody has written. */
  comment?: string;
  missed?: boolean;
  reopened?: boolean;
}

declare global {
  interface Window {
    /** The build whose modules this tab runs. */
    transcriberBuild?: string;
  }
}
