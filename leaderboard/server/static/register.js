// The link of an invitation has its code behind a #, which no browser sends: so it is in no log. It goes into the form.
"use strict";

const given = new URLSearchParams(location.hash.slice(1)).get("invitation");
if (given) {
  const field = document.getElementById("invitation");
  field.value = given;
  if (field.closest("details")) field.closest("details").open = true;
  history.replaceState(null, "", location.pathname);
}
