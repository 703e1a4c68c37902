# What the fuzzers are made of: the sources that read files, and no more. test_fuzz links the same, so that a build without
# libFuzzer tells when one is missing.
set(fuzz_sources ${CMAKE_CURRENT_LIST_DIR}/targets.cpp ${CMAKE_SOURCE_DIR}/uops/dtype.cpp)
foreach(name gguf safetensors mapped_file json_text hf_checkpoint hf_config llama_config packing utf8 pattern byte_pairs
             sentencepiece tokenizer tokenizer_gguf tokenizer_json)
  list(APPEND fuzz_sources ${CMAKE_SOURCE_DIR}/models/${name}.cpp)
endforeach()
