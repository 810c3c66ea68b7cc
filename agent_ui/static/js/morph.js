// Make an element like new HTML with the fewest changes, so that focus, caret, scroll position and
// half-typed text stay where they are.
//
// Children are matched by id, else by order and tag. What somebody has typed and the server does not
// know yet is never overwritten; what only the server has changed is.

/** Morph `element` into the first element of `html`. Gives the element that stands there now. */
export function morph(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const wanted = template.content.firstElementChild;
  if (!wanted) return element;
  return morph_element(element, document.importNode(wanted, true));
}

function morph_element(old, wanted) {
  if (old.tagName !== wanted.tagName) {
    old.replaceWith(wanted);
    return wanted;
  }
  if (old.isEqualNode(wanted)) return old;
  const typed = own_state(old);
  morph_attributes(old, wanted);
  morph_children(old, wanted);
  typed();
  return old;
}

function morph_attributes(old, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!wanted.hasAttribute(name)) old.removeAttribute(name);
  }
}

/** Remember what a person has done to a field; the returned function puts the field right after its
 *  attributes (the server's values) have changed. */
function own_state(field) {
  const focused = field === document.activeElement;
  if (field instanceof HTMLInputElement && (field.type === "radio" || field.type === "checkbox")) {
    const { checked } = field;
    const touched = focused || checked !== field.defaultChecked;
    return () => (field.checked = touched ? checked : field.defaultChecked);
  }
  if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) {
    const { value } = field;
    const touched = focused || value !== field.defaultValue;
    return () => {
      const right = touched ? value : field.defaultValue;
      if (field.value !== right) field.value = right;
    };
  }
  if (field instanceof HTMLSelectElement) {
    const { value } = field;
    const before = [...field.options].find((option) => option.defaultSelected)?.value ?? "";
    const touched = focused || value !== before;
    return () => touched && (field.value = value);
  }
  return () => {};
}

function morph_children(old, wanted) {
  const by_id = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  const kept_ids = new Set([...wanted.children].map((child) => child.id).filter(Boolean));
  let place = old.firstChild;
  for (const child of [...wanted.childNodes]) {
    const match = matching(child, place, by_id, kept_ids);
    if (!match) {
      old.insertBefore(child, place);
      continue;
    }
    if (match.contains(document.activeElement)) {
      // Moving a node takes its focus away: what stands before it goes behind it instead.
      const behind = match.nextSibling;
      while (place !== match) {
        const next = place.nextSibling;
        old.insertBefore(place, behind);
        place = next;
      }
    }
    if (match === place) place = place.nextSibling;
    else old.insertBefore(match, place);
    if (match.nodeType === Node.ELEMENT_NODE) morph_element(match, child);
    else if (match.nodeValue !== child.nodeValue) match.nodeValue = child.nodeValue;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** The old node that shall become `child`: the one with its id, else the next fitting one. */
function matching(child, place, by_id, kept_ids) {
  if (child.nodeType === Node.ELEMENT_NODE && child.id) {
    const same = by_id.get(child.id);
    return same?.tagName === child.tagName ? same : null;
  }
  for (let node = place; node; node = node.nextSibling) {
    if (node.nodeType === Node.ELEMENT_NODE && node.id && kept_ids.has(node.id)) return null;
    if (node.nodeType === child.nodeType && node.nodeName === child.nodeName && !node.id) {
      return node;
    }
  }
  return null;
}
