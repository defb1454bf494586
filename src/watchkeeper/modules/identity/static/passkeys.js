// Passkeys: hands what the server asks to the browser's authenticator, and its answer back.
(() => {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const token = document.querySelector('meta[name="csrf-token"]')?.content || "";
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  async function send(path, body) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token },
      body: JSON.stringify(body || {}),
    });
    const found = await response.json();
    if (!response.ok) throw new Error(found.detail || found.title || "The server refused it.");
    return found;
  }

  function prepared(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const list of [options.allowCredentials, options.excludeCredentials])
      for (const one of list || []) one.id = bytes(one.id);
    return options;
  }

  function plain(credential) {
    const held = credential.response;
    const response = { clientDataJSON: text(held.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
      if (held[name]) response[name] = text(held[name]);
    return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
  }

  function offer(button, act) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const problem = document.querySelector("[data-passkey-error]");
      button.disabled = true;
      try {
        window.location.assign((await act()).next);
      } catch (error) {
        if (problem) {
          problem.textContent =
            error.name === "NotAllowedError" ? "The browser ended it, or no passkey fits." : error.message;
          problem.hidden = false;
        }
        button.disabled = false;
      }
    });
  }

  for (const button of document.querySelectorAll("[data-passkey]"))
    offer(button, async () => {
      const path = button.dataset.passkey;
      const publicKey = prepared(await send(`${path}/options`));
      const credential = await navigator.credentials.get({ publicKey });
      return send(path, { credential: plain(credential), next: button.dataset.passkeyNext || "" });
    });

  for (const button of document.querySelectorAll("[data-passkey-new]"))
    offer(button, async () => {
      const path = button.dataset.passkeyNew;
      const publicKey = prepared(await send(`${path}/options`));
      const credential = await navigator.credentials.create({ publicKey });
      const name = document.getElementById("passkey-name")?.value || "";
      return send(path, { credential: plain(credential), name });
    });
})();
