// Take a picture: by the phone's own camera program, or with a viewfinder in the page.

import { byId, showMessage } from "./dom.js";

// getUserMedia does not exist on http:// of another machine. A phone's own program focuses better.
export function watch(add) {
  const inPage = Boolean(navigator.mediaDevices?.getUserMedia) && !matchMedia("(pointer: coarse)").matches;
  byId("open-camera").hidden = !inPage;
  byId("native-camera").hidden = inPage;
  byId("open-camera").addEventListener("click", () => open(add));
}

async function open(add) {
  const dialog = byId("camera-dialog");
  const video = byId("viewfinder");
  const shoot = byId("shoot");
  let stream;
  showMessage("");
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 } },
    });
  } catch (error) {
    const absent = error.name === "NotFoundError";
    showMessage(absent ? "There is no camera." : "The camera can’t be used; the browser or the system refuses it.");
    return;
  }
  video.srcObject = stream;
  video.addEventListener("loadeddata", () => { shoot.disabled = false; }, { once: true });
  shoot.onclick = async () => {
    const file = await still(video);
    dialog.close();
    add([file]);
  };
  byId("close-camera").onclick = () => dialog.close();
  dialog.addEventListener("close", () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    shoot.disabled = true;
  }, { once: true });
  dialog.showModal();
  video.play().catch(() => {});
}

async function still(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  return new File([blob], `camera-${time}.jpg`, { type: "image/jpeg" });
}
