// Asking the server. Every failure is an Error whose message can be shown.

export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  const url = query.size ? `${path}?${query}` : path;
  let response;
  try {
    response = await fetch(url, { headers: { accept: "application/json" }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `tinyc registry serve` still running?");
  }
  const text = await response.text();
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    // An error from before the application is plain text.
  }
  if (!response.ok) {
    const error = new Error(content?.error ?? (text.trim() || response.statusText));
    error.status = response.status;
    throw error;
  }
  return content;
}

export const part = encodeURIComponent;
