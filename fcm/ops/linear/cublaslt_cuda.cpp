#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/ops/linear/gemm.h"

namespace fcm::ops {
namespace {

constexpr int kMostAlgorithms = 16;
constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // cuBLAS's own default on an H100

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(ExitCode::kDevice, "cuBLASLt: {}: {}", what, cublasLtGetStatusString(status));
}
void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fail(ExitCode::kDevice, "CUDA: {}: {}", what, cudaGetErrorString(status));
}

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* handle) const {
    kDestroy(handle);
  }
};
template <class Handle, auto kDestroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<kDestroy>>;
using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;
using Event = Owned<cudaEvent_t, cudaEventDestroy>;

cudaDataType_t data_type(GemmType type) {
  return type == GemmType::kFloat32 ? CUDA_R_32F : CUDA_R_16BF;
}

Layout make_layout(const GemmMatrix& matrix, GemmType type) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, data_type(type), static_cast<uint64_t>(matrix.rows),
                                   static_cast<uint64_t>(matrix.columns), matrix.leading),
        "description of a matrix");
  return Layout(layout);
}

template <class T>
void set(const Description& description, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(description.get(), attribute, &value, sizeof value),
        "description of a product");
}

// CUBLAS_COMPUTE_32F multiplies float32 as float32, never as TF32.
Description make_description(const Gemm& gemm) {
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "description of a product");
  Description description(made);
  const auto operation = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(description, CUBLASLT_MATMUL_DESC_TRANSA, operation(gemm.transpose_a));
  set(description, CUBLASLT_MATMUL_DESC_TRANSB, operation(gemm.transpose_b));
  if (gemm.bias) {
    set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    // A dummy pointer. It is never read, but its alignment affects which algorithms are proposed.
    set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, reinterpret_cast<const void*>(16));
  }
  return description;
}

// If an algorithm splits a sum, a second kernel adds the parts in float32, in a fixed order.
Preference make_preference() {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "preferences");
  Preference preference(made);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(made, attribute, &value, sizeof value),
          "preferences");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspaceBytes});
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (const auto operand :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    prefer(operand, uint32_t{16});
  }
  return preference;
}

bool is_recorded(CudaStream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status), "asking whether work is recorded");
  return status != cudaStreamCaptureStatusNone;
}

// A Gemm with the algorithms that cuBLASLt proposes for it, the heuristically best first.
class Product {
 public:
  Product(cublasLtHandle_t handle, const Gemm& gemm)
      : handle_(handle),
        onto_(gemm.onto),
        bias_(gemm.bias),
        description_(make_description(gemm)),
        a_(make_layout(gemm.a, gemm.in)),
        b_(make_layout(gemm.b, gemm.in)),
        d_(make_layout(gemm.d, gemm.out)) {
    std::array<cublasLtMatmulHeuristicResult_t, kMostAlgorithms> found{};
    int count = 0;
    const Preference preference = make_preference();
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle, description_.get(), a_.get(), b_.get(), d_.get(), d_.get(), preference.get(),
        kMostAlgorithms, found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return;
    check(status, "search for algorithms");
    for (int i = 0; i < count; ++i) {
      const auto& algorithm = found[static_cast<size_t>(i)];
      if (algorithm.state == CUBLAS_STATUS_SUCCESS) algorithms_.push_back(algorithm.algo);
    }
  }

  int algorithms() const { return static_cast<int>(algorithms_.size()); }

  cublasStatus_t run(int algorithm, const GemmPointers& at, const at::Tensor& workspace,
                     CudaStream stream) {
    const float one = 1, of_c = onto_ ? 1 : 0;
    if (bias_) set(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, at.bias);
    return cublasLtMatmul(handle_, description_.get(), &one, at.a, a_.get(), at.b, b_.get(), &of_c,
                          onto_ ? at.c : at.d, d_.get(), at.d, d_.get(),
                          &algorithms_[static_cast<size_t>(algorithm)], workspace.data_ptr(),
                          kWorkspaceBytes, stream);
  }

 private:
  cublasLtHandle_t handle_;
  bool onto_, bias_;
  Description description_;
  Layout a_, b_, d_;
  std::vector<cublasLtMatmulAlgo_t> algorithms_;
};

// Times algorithms on its own random operands. The caller's operands may be all zeros, for which
// every order of summation gives the same bits, and the caller's results must not be written twice.
class Measurement {
 public:
  Measurement(Product& product, const Gemm& gemm, const at::Tensor& workspace, CudaStream stream)
      : product_(product), workspace_(workspace), stream_(stream) {
    const at::Generator generator = at::make_generator<at::CUDAGeneratorImpl>();
    const auto operand = [&](int64_t elements, GemmType type) {
      const auto of_type =
          workspace.options().dtype(type == GemmType::kFloat32 ? at::kFloat : at::kBFloat16);
      return at::empty({elements}, of_type).normal_(0, 1, generator);
    };
    const auto elements = [](const GemmMatrix& matrix) { return matrix.leading * matrix.columns; };
    operands_ = {operand(elements(gemm.a), gemm.in), operand(elements(gemm.b), gemm.in),
                 operand(gemm.d.rows, gemm.out), operand(elements(gemm.d), gemm.out)};
    expected_ = at::empty_like(operands_[3]);
    result_ = at::empty_like(operands_[3]);
    works_ = run(0, expected_) == CUBLAS_STATUS_SUCCESS;
  }

  int quickest() {
    if (!works_) return 0;
    return fastest_algorithm({product_.algorithms(), [&](int index) { return same_bits(index); },
                              [&](int index) { return seconds(index); }});
  }

 private:
  cublasStatus_t run(int index, const at::Tensor& d) {
    return product_.run(index,
                        {operands_[0].data_ptr(), operands_[1].data_ptr(), operands_[2].data_ptr(),
                         operands_[3].data_ptr(), d.data_ptr()},
                        workspace_, stream_);
  }

  bool same_bits(int index) {
    result_.zero_();
    if (run(index, result_) != CUBLAS_STATUS_SUCCESS) return false;
    const auto bits = result_.element_size() == 4 ? at::kInt : at::kShort;
    return at::equal(result_.view(bits), expected_.view(bits));
  }

  double seconds(int index) {
    const auto make = [] {
      cudaEvent_t made = nullptr;
      check(cudaEventCreate(&made), "events");
      return Event(made);
    };
    const Event begin = make(), end = make();
    float milliseconds = 0;
    check(cudaEventRecord(begin.get(), stream_), "events");
    check(run(index, result_), "a product that worked before");
    check(cudaEventRecord(end.get(), stream_), "events");
    check(cudaEventSynchronize(end.get()), "a product");
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "events");
    return 1e-3 * static_cast<double>(milliseconds);
  }

  Product& product_;
  const at::Tensor& workspace_;
  CudaStream stream_;
  std::array<at::Tensor, 4> operands_;  // A, B, bias, C
  at::Tensor expected_, result_;
  bool works_ = false;
};

// A cache of all products so far. Like LibTorch's own handles it belongs to one device.
class Products {
 public:
  // Never destroyed: at process exit, CUDA is shut down before static objects.
  static Products& get() {
    static auto* products = new Products;
    return *products;
  }

  bool run(const Gemm& gemm, const GemmPointers& pointers, CudaStream stream) {
    const std::lock_guard lock(mutex_);
    const cublasLtHandle_t handle = at::cuda::getCurrentCUDABlasLtHandle();
    if (!workspace_.defined()) {
      workspace_ = at::empty({static_cast<int64_t>(kWorkspaceBytes)},
                             at::TensorOptions(at::kByte).device(at::kCUDA));
    }
    auto [place, is_new] = known_.try_emplace(gemm);
    Known& known = place->second;
    if (is_new) known.product = std::make_unique<Product>(handle, gemm);
    if (known.product->algorithms() == 0) return false;
    if (!known.measured && !is_recorded(stream)) {
      known.algorithm = measure(*known.product, gemm, stream);
      known.measured = true;
    }
    check(known.product->run(known.algorithm, pointers, workspace_, stream), "a product");
    return true;
  }

 private:
  struct Known {
    std::unique_ptr<Product> product;
    int algorithm = 0;
    bool measured = false;
  };

  int measure(Product& product, const Gemm& gemm, CudaStream stream) {
    if (product.algorithms() == 1) return 0;
    try {
      return Measurement(product, gemm, workspace_, stream).quickest();
    } catch (const c10::OutOfMemoryError&) {
      return 0;  // no memory for the operands; every algorithm gives the same bits
    }
  }

  std::mutex mutex_;
  at::Tensor workspace_;
  std::map<Gemm, Known> known_;
};

}  // namespace

bool run_gemm(const Gemm& gemm, const GemmPointers& pointers, CudaStream stream) {
  return Products::get().run(gemm, pointers, stream);
}

}  // namespace fcm::ops
