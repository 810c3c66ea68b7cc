// <form-rows most="20">: rows of a form that are added, moved up and taken out. Without scripts the
// rows that are there still can be filled, and one that is left empty is taken out by the server.

class FormRows extends HTMLElement {
  connectedCallback() {
    this.addEventListener("click", this);
  }

  handleEvent(click) {
    const button = click.target.closest("[data-act]");
    if (!button) return;
    const row = button.closest("li");
    switch (button.dataset.act) {
      case "add":
        this.#add();
        break;
      case "up":
        row.previousElementSibling?.before(row);
        button.focus();
        break;
      case "remove":
        (row.nextElementSibling ?? row.previousElementSibling)?.querySelector("input")?.focus();
        row.remove();
        break;
    }
  }

  #add() {
    const list = this.querySelector(".rows");
    if (list.children.length >= Number(this.getAttribute("most"))) return;
    const row = this.querySelector("template").content.firstElementChild.cloneNode(true);
    // A number that no other row has ever had; the order on the page is what counts.
    this.next = Math.max(this.next ?? 0, list.children.length + 1000) + 1;
    for (const field of row.querySelectorAll("[name]")) {
      field.name = field.name.replace(".0000", `.${this.next}`);
    }
    list.append(row);
    row.querySelector("input").focus();
  }
}

customElements.define("form-rows", FormRows);
