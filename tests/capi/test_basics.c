/* Names, numbers, versions, and the text of the last error. */
#include "check.h"

static void versions(void) {
  char expected[64];
  snprintf(expected, sizeof expected, "%d.%d.%d", LIVENESS_VERSION_MAJOR, LIVENESS_VERSION_MINOR,
           LIVENESS_VERSION_PATCH);
  CHECK(strcmp(liveness_version(), expected) == 0);
  CHECK(strcmp(liveness_version(), LIVENESS_PROJECT_VERSION) == 0);
  CHECK(liveness_abi_version() == LIVENESS_ABI_VERSION);
}

static void names(void) {
  liveness_reasons_t bit;
  int known = 0;
  CHECK(strcmp(liveness_status_name(LIVENESS_STATUS_OK), "ok") == 0);
  CHECK(strcmp(liveness_status_name(LIVENESS_STATUS_INTERNAL), "internal error") == 0);
  CHECK(strcmp(liveness_status_name(77), "unknown status") == 0);
  CHECK(strcmp(liveness_status_name(-1), "unknown status") == 0);
  CHECK(strcmp(liveness_verdict_name(LIVENESS_VERDICT_LIVE), "LIVE") == 0);
  CHECK(strcmp(liveness_verdict_name(LIVENESS_VERDICT_SPOOF), "SPOOF") == 0);
  CHECK(strcmp(liveness_verdict_name(LIVENESS_VERDICT_NO_FACE), "NO_FACE") == 0);
  CHECK(strcmp(liveness_verdict_name(LIVENESS_VERDICT_UNCERTAIN), "UNCERTAIN") == 0);
  CHECK(strcmp(liveness_verdict_name(-1), "UNCERTAIN") == 0);
  CHECK(strcmp(liveness_verdict_name(257), "UNCERTAIN") == 0); /* 257 cut to 8 bits would be LIVE */
  for (bit = 1; bit != 0; bit <<= 1) {
    if (liveness_reason_name(bit) == NULL) continue;
    ++known;
    CHECK(strlen(liveness_reason_name(bit)) > 3);
    CHECK(liveness_reason_sentence(bit) != NULL && strchr(liveness_reason_sentence(bit), '.') != NULL);
  }
  CHECK(known == 12);
  CHECK(strcmp(liveness_reason_name(LIVENESS_REASON_MODELS_DISAGREE), "models_disagree") == 0);
  CHECK(liveness_reason_name(0) == NULL && liveness_reason_sentence(0) == NULL);
  CHECK(liveness_reason_name(3) == NULL && liveness_reason_sentence(3) == NULL);
  CHECK(liveness_reason_name(1u << 31) == NULL);
}

static void last_error(void) {
  static char path[4000];
  liveness_model_t* model = NULL;
  size_t i;
  CHECK(strcmp(liveness_last_error(), "") == 0);
  CHECK_FAILS(liveness_model_load("/nowhere/x.safetensors", NULL, &model), LIVENESS_STATUS_NOT_FOUND,
              "/nowhere/x.safetensors");
  CHECK(model == NULL);
  { /* a call that succeeds leaves the text */
    liveness_result_t* result = NULL;
    REQUIRE_OK(liveness_result_create(&result));
    liveness_result_destroy(result);
    CHECK(strstr(liveness_last_error(), "/nowhere/x.safetensors") != NULL);
  }
  /* A message is cut at 1023 bytes, and never inside a character: the path is made of three-byte ones. */
  for (i = 0; i + 3 < sizeof path; i += 3) memcpy(path + i, "\xe2\x82\xac", 3);
  CHECK(liveness_model_load(path, NULL, &model) != LIVENESS_STATUS_OK);
  i = strlen(liveness_last_error());
  CHECK(i <= 1023);
  { /* the last bytes are whole characters: walk back to the start of the last one */
    const unsigned char* text = (const unsigned char*)liveness_last_error();
    size_t start = i;
    while (start > 0 && (text[start - 1] & 0xc0u) == 0x80u) --start;
    if (start < i)
      CHECK(start > 0 && text[start - 1] >= 0xc0u && i - start == 2);
    else
      CHECK(i > 0 && text[i - 1] < 0x80u);
  }
}

int main(void) {
  last_error();
  versions();
  names();
  return finish();
}
