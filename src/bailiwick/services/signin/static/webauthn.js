// Passkeys and security keys: asks the browser for what the form's data-options says, and sends what it answers.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function prepared(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const each of [...(options.allowCredentials || []), ...(options.excludeCredentials || [])]) each.id = bytes(each.id);
  return options;
}

function told(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} });
}

for (const form of document.querySelectorAll("form[data-webauthn]")) {
  const said = form.querySelector("[data-said]");
  const button = form.querySelector("button");
  button.disabled = !window.PublicKeyCredential;
  if (button.disabled) said.textContent = "This browser, or this address, does not let passkeys be used.";
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    delete form.dataset.sent;
    button.disabled = true;
    said.textContent = "Follow what your browser asks for.";
    try {
      const publicKey = prepared(JSON.parse(form.dataset.options));
      const credential = form.dataset.webauthn === "create"
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey });
      form.elements.credential.value = told(credential);
      form.submit();
    } catch (error) {
      button.disabled = false;
      said.textContent = error.name === "InvalidStateError"
        ? "This device is registered already."
        : "Nothing was shown, or it was taken back. Try again.";
    }
  });
}
