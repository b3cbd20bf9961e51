// A cv::Mat, and a part of one, as pictures.
#include <liveness/liveness.hpp>
#include <liveness/opencv.hpp>
#include <opencv2/core.hpp>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const cv::Mat whole(400, 400, CV_8UC3, cv::Scalar(0, 190, 255));
  const liveness::Predictor predictor(liveness::Model::load(argv[1]));
  const auto result =
      predictor.predict(liveness::view(whole(cv::Rect(40, 40, 320, 320))), liveness::Rect{80, 80, 80, 80});
  if (result.faces.size() != 1 || result.score < 0.9F) return 1;
  try {
    (void)liveness::view(cv::Mat(4, 4, CV_32FC3));
  } catch (const liveness::Error&) {
    return 0;
  }
  return 1;
}
