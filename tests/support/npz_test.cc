#include "support/npz.h"

#include <gtest/gtest.h>

namespace quern::testing {
namespace {

// sample.npz: np.savez(floats=np.arange(6,dtype=np.float32).reshape(2,3)/2,
//   bytes=np.array([1,255],np.uint8), ids=np.array([-1,2**40],np.int64),
//   name=np.array("héllo €😀"), names=np.array(["a","bcd"]), scalar=np.float64(2.5))
const std::string kFolder = QUERN_SOURCE_DIR "/tests/support/";

TEST(Npz, ReadsWhatNumpyWrites) {
  const auto arrays = read_npz(kFolder + "sample.npz");
  ASSERT_TRUE(arrays) << to_string(arrays.error());
  const Array& floats = arrays->at("floats");
  EXPECT_EQ(floats.dtype, "<f4");
  EXPECT_EQ(floats.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(floats.as<float>()[5], 2.5f);
  EXPECT_EQ(arrays->at("bytes").as<uint8_t>()[1], 255);
  EXPECT_EQ(arrays->at("ids").as<int64_t>()[1], int64_t{1} << 40);
  EXPECT_EQ(arrays->at("name").text(), "héllo €😀");
  EXPECT_EQ(arrays->at("names").text(0), "a");
  EXPECT_EQ(arrays->at("names").text(1), "bcd");
  EXPECT_TRUE(arrays->at("scalar").shape.empty());
  EXPECT_EQ(arrays->at("scalar").as<double>()[0], 2.5);
}

TEST(Npz, ReadsASingleArray) {
  const auto array = read_npy(kFolder + "sample.npy");
  ASSERT_TRUE(array) << to_string(array.error());
  EXPECT_EQ(array->as<int32_t>()[0], 7);
}

TEST(Npz, RefusesWhatItIsNot) {
  EXPECT_EQ(read_npz(kFolder + "absent.npz").error().code, Code::not_found);
  EXPECT_EQ(read_npz(kFolder + "npz_test.cc").error().code, Code::corrupt);
  EXPECT_EQ(read_npy(kFolder + "sample.npz").error().code, Code::corrupt);
}

}  // namespace
}  // namespace quern::testing
