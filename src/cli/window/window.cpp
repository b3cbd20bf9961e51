// A window for pictures, in a module of its own: the libraries behind it take longer to load than the rest of the
// program to run, and machines without a display lack them.
#include <opencv2/core/mat.hpp>
#include <opencv2/highgui.hpp>

// Shows rows of BGR bytes. Returns the key that was pressed, -1 for none, -2 where the window was closed or cannot be.
extern "C" __attribute__((visibility("default"))) int liveness_window_show(const char* title, unsigned char* bgr,
                                                                           int width, int height, std::size_t stride) {
  static bool shown = false;
  try {
    if (!shown) cv::namedWindow(title, cv::WINDOW_NORMAL | cv::WINDOW_KEEPRATIO);
    if (shown && cv::getWindowProperty(title, cv::WND_PROP_VISIBLE) < 1) return -2;
    cv::imshow(title, cv::Mat(height, width, CV_8UC3, bgr, stride));
    shown = true;
    return cv::waitKey(1);
  } catch (const cv::Exception&) {
    return -2;
  }
}
