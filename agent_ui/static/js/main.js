// What every page loads: the custom elements. They start themselves where the markup names them.

import "./auto-form.js";
import "./call-timer.js";
import "./card-tabs.js";
import "./connection-light.js";
import "./form-rows.js";
import "./go-back.js";
import "./hot-keys.js";
import "./link-strip.js";
import "./live.js";
import "./note-editor.js";
import "./queue-choice.js";
import "./offline.js";
import "./ring-sign.js";
import "./ring-tone.js";
import "./ring-unlock.js";
import "./state-menu.js";
import "./transfer-panel.js";
