/**
 * What lives as long as the browser tab, whatever page it shows: the uploads and the microphone, once they are used.
 *
 * @import { Uploads } from "../uploader/uploads.js"
 * @import { Recorder } from "../uploader/recorder.js"
 */
export const UPLOADS_CHANGED = "wt-uploads";
export const RECORDER_CHANGED = "wt-recorder";

/** @type {{ uploads: Uploads | null, recorder: Recorder | null }} */
export const tab = { uploads: null, recorder: null };
