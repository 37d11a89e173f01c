/* Loads a SavedModel through TensorFlow's C API and runs one signature.
 *
 *     sampler MODEL OUTPUT_OP OUTPUT_INDEX FILE (INPUT_OP TYPE COLUMNS INPUT_FILE)...
 *
 * TYPE is i (int64 [N]) or f (float32 [N, COLUMNS]). Input files and FILE, which receives the output, hold raw values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

#define MOST_INPUTS 8

static void require(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%d: %s\n", TF_GetCode(status), TF_Message(status));
    exit(1);
  }
}

static TF_Output operation(TF_Graph* graph, const char* name, int index) {
  TF_Output output = {TF_GraphOperationByName(graph, name), index};
  if (output.oper == NULL) {
    fprintf(stderr, "no operation %s\n", name);
    exit(1);
  }
  return output;
}

static TF_Tensor* read_tensor(const char* type, int64_t columns, const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  int integers = type[0] == 'i';
  size_t width = integers ? sizeof(int64_t) : sizeof(float);
  int64_t shape[2] = {(int64_t)(bytes / width) / (integers ? 1 : columns), columns};
  TF_Tensor* tensor = TF_AllocateTensor(integers ? TF_INT64 : TF_FLOAT, shape, integers ? 1 : 2, bytes);
  if (fread(TF_TensorData(tensor), 1, bytes, file) != bytes) exit(1);
  fclose(file);
  return tensor;
}

int main(int argc, char** argv) {
  if (argc < 9 || (argc - 5) % 4 || (argc - 5) / 4 > MOST_INPUTS) return 2;
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  require(status);

  int count = (argc - 5) / 4;
  TF_Output inputs[MOST_INPUTS];
  TF_Tensor* values[MOST_INPUTS];
  for (int i = 0; i < count; i++) {
    char** argument = argv + 5 + 4 * i;
    inputs[i] = operation(graph, argument[0], 0);
    values[i] = read_tensor(argument[1], atoll(argument[2]), argument[3]);
  }
  TF_Output output = operation(graph, argv[2], atoi(argv[3]));
  TF_Tensor* result = NULL;
  TF_SessionRun(session, NULL, inputs, values, count, &output, &result, 1, NULL, 0, NULL, status);
  require(status);

  FILE* file = fopen(argv[4], "wb");
  if (file == NULL || fwrite(TF_TensorData(result), 1, TF_TensorByteSize(result), file) != TF_TensorByteSize(result)) return 1;
  fclose(file);
  TF_DeleteTensor(result);
  for (int i = 0; i < count; i++) TF_DeleteTensor(values[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
