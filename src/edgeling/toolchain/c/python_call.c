/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls a compiled program from Python with as little as possible in between.
 *
 * Python.h is not needed to build this: the few functions used belong to CPython's stable ABI (3.11 and later), are
 * declared here by hand and reach us as addresses in `edgeling_python`, filled by calls.py before the first call.
 *
 * A callable is a CPython built-in function of the METH_FASTCALL kind. Its `self` is a tuple: first the address of
 * an edgeling_binding as an integer, then whatever must live as long as the callable does.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct PyObject PyObject;
typedef ptrdiff_t Py_ssize_t;

typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len;
    Py_ssize_t itemsize;
    int readonly;
    int ndim;
    char *format;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    Py_ssize_t *suboffsets;
    void *internal;
} Py_buffer;

enum { WRITABLE = 0x1, FORMAT = 0x4, C_ORDER = 0x8 /* PyBUF_ND: shape without strides, so contiguous */ };

typedef struct {
    int (*get_buffer)(PyObject *, Py_buffer *, int);
    void (*release_buffer)(Py_buffer *);
    int (*check_buffer)(PyObject *);
    PyObject *(*tuple_item)(PyObject *, Py_ssize_t);
    void *(*as_pointer)(PyObject *);
    void (*incref)(PyObject *);
    void (*decref)(PyObject *);
    void (*clear_error)(void);
    PyObject *(*format_error)(PyObject *, const char *, ...);
    PyObject *(*call_with)(PyObject *, ...);
    PyObject *type_error;
    PyObject *value_error;
    PyObject *none;
} edgeling_python_api;

/* One argument: its bytes in one row, and the format characters that Python's buffers may give its element type. */
typedef struct {
    const char *name;
    const char *dtype;
    Py_ssize_t row_bytes;
    Py_ssize_t itemsize;
    int is_output;
    char formats[4];
} edgeling_port;

typedef struct {
    void (*run)(void *weights, void *arena, size_t rows, void *const *ports);
    void *weights, *arena;
    const char *name;
    Py_ssize_t n_ports;
    const edgeling_port *ports;
    int takes_rows;
} edgeling_binding;

enum { MAX_PORTS = 64 };

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

EXPORTED edgeling_python_api edgeling_python;

static int has_format(const edgeling_port *port, const Py_buffer *view) {
    const char *format = view->format ? view->format : "B";
    if (format[0] == '=') format++; /* NumPy's way to say "perhaps not aligned" */
    if (view->itemsize != port->itemsize || format[1] != '\0') return 0;
    for (int i = 0; i < 4 && port->formats[i]; i++)
        if (port->formats[i] == format[0]) return 1;
    return 0;
}

static int refuse_object(const edgeling_binding *binding, const edgeling_port *port, PyObject *argument) {
    const edgeling_python_api *py = &edgeling_python;
    py->clear_error();
    if (!py->check_buffer(argument))
        py->format_error(py->type_error, "%s: %s must be an array", binding->name, port->name);
    else
        py->format_error(py->value_error, "%s: %s must be a C-contiguous%s array", binding->name, port->name,
                         port->is_output ? ", writable" : "");
    return 0;
}

static int refuse_format(const edgeling_binding *binding, const edgeling_port *port, const Py_buffer *view) {
    edgeling_python.format_error(edgeling_python.type_error,
                                 "%s: %s must be an array of %s; received elements of %zd bytes, format '%s'",
                                 binding->name, port->name, port->dtype, view->itemsize,
                                 view->format ? view->format : "B");
    return 0;
}

static int refuse_alignment(const edgeling_binding *binding, const edgeling_port *port) {
    edgeling_python.format_error(edgeling_python.value_error, "%s: %s must lie at a multiple of %zd bytes",
                                 binding->name, port->name, port->itemsize);
    return 0;
}

static int refuse_size(const edgeling_binding *binding, const edgeling_port *port, Py_ssize_t rows,
                       Py_ssize_t received) {
    const edgeling_python_api *py = &edgeling_python;
    if (rows < 0)
        py->format_error(py->value_error, "%s: %s must hold whole rows of %zd bytes; received %zd bytes",
                         binding->name, port->name, port->row_bytes, received);
    else
        py->format_error(py->value_error, "%s: %s must be %zd bytes (%zd rows); received %zd bytes", binding->name,
                         port->name, rows * port->row_bytes, rows, received);
    return 0;
}

/* Opens one argument. `*rows` is -1 until the first argument of a call that takes rows has told how many. */
static int open_port(const edgeling_binding *binding, const edgeling_port *port, PyObject *argument,
                     Py_buffer *view, Py_ssize_t *rows) {
    const int flags = C_ORDER | FORMAT | (port->is_output ? WRITABLE : 0);
    if (edgeling_python.get_buffer(argument, view, flags)) return refuse_object(binding, port, argument);
    int fits = has_format(port, view) || refuse_format(binding, port, view);
    if (fits && (uintptr_t)view->buf % (uintptr_t)port->itemsize) fits = refuse_alignment(binding, port);
    if (fits && *rows < 0 && view->len % port->row_bytes == 0) *rows = view->len / port->row_bytes;
    if (fits && (*rows < 0 || view->len != *rows * port->row_bytes))
        fits = refuse_size(binding, port, *rows, view->len);
    if (!fits) edgeling_python.release_buffer(view);
    return fits;
}

EXPORTED PyObject *edgeling_call(PyObject *self, PyObject *const *arguments, Py_ssize_t n) {
    const edgeling_python_api *py = &edgeling_python;
    const edgeling_binding *binding = py->as_pointer(py->tuple_item(self, 0));
    if (n != binding->n_ports)
        return py->format_error(py->type_error, "%s takes %zd arrays, inputs then outputs; received %zd",
                                binding->name, binding->n_ports, n);
    Py_buffer views[MAX_PORTS];
    void *pointers[MAX_PORTS];
    Py_ssize_t rows = binding->takes_rows ? -1 : 1, opened = 0;
    while (opened < n && open_port(binding, &binding->ports[opened], arguments[opened], &views[opened], &rows)) {
        pointers[opened] = views[opened].buf;
        opened++;
    }
    if (opened == n) binding->run(binding->weights, binding->arena, (size_t)rows, pointers);
    for (Py_ssize_t i = 0; i < opened; i++) py->release_buffer(&views[i]);
    if (opened < n) return NULL;
    py->incref(py->none);
    return py->none;
}

/* The head of NumPy's arrays, as its ABI has it; direct.py looks whether it is so before an array is read by it. */
typedef struct {
    Py_ssize_t references;
    const PyObject *type;
    char *data;
    int dimensions;
    const Py_ssize_t *shape, *strides;
    PyObject *base;
    const PyObject *dtype;
    int flags;
} numpy_array;

enum { NUMPY_C_ORDER = 0x1, NUMPY_ALIGNED = 0x100 };

/* An entry called `calls` times, from a row on. */
typedef struct {
    void (*run)(void *weights, void *arena, size_t rows, void *const *ports);
    void *weights, *arena;
    Py_ssize_t first, calls;
} edgeling_step;

/* Rows of one number and shape, answered while `changes` counts what it did. */
typedef struct {
    const int64_t *changes;
    int64_t seen;
    PyObject *array_type, *float32, *float64, *astype;
    PyObject *(*empty)(int dimensions, const Py_ssize_t *shape, PyObject *dtype, int fortran); /* keeps the dtype */
    Py_ssize_t dimensions;
    const Py_ssize_t *shape;
    Py_ssize_t out_dimensions;
    const Py_ssize_t *out_shape;
    Py_ssize_t row_bytes, out_row_bytes;
    Py_ssize_t steps;
    const edgeling_step *step;
} edgeling_answer;

static int is_expected(const edgeling_answer *answer, const numpy_array *x, const PyObject *dtype) {
    const int flags = NUMPY_C_ORDER | NUMPY_ALIGNED;
    int same = x->type == answer->array_type && x->dtype == dtype && x->dimensions == answer->dimensions;
    for (Py_ssize_t i = 0; same && i < answer->dimensions; i++) same = x->shape[i] == answer->shape[i];
    return same && (x->flags & flags) == flags;
}

static PyObject *answered(const edgeling_answer *answer, char *x) {
    edgeling_python.incref(answer->float32);
    PyObject *made = answer->empty((int)answer->out_dimensions, answer->out_shape, answer->float32, 0);
    if (!made) return NULL;
    char *out = ((const numpy_array *)made)->data;
    for (Py_ssize_t i = 0; i < answer->steps; i++) {
        const edgeling_step *step = &answer->step[i];
        void *ports[2] = {x + step->first * answer->row_bytes, out + step->first * answer->out_row_bytes};
        step->run(step->weights, step->arena, (size_t)step->calls, ports);
    }
    return made;
}

/* `f(x)` gives the answers as a new array; TypeError: what is asked is not what this was made for. */
EXPORTED PyObject *edgeling_answer_rows(PyObject *self, PyObject *argument) {
    const edgeling_python_api *py = &edgeling_python;
    const edgeling_answer *answer = py->as_pointer(py->tuple_item(self, 0));
    const numpy_array *x = (const numpy_array *)argument;
    if (*answer->changes == answer->seen && is_expected(answer, x, answer->float32)) return answered(answer, x->data);
    if (*answer->changes != answer->seen || !is_expected(answer, x, answer->float64))
        return py->format_error(py->type_error, "other rows, or other weights");
    PyObject *floats = py->call_with(answer->astype, argument, answer->float32, NULL);
    PyObject *made = floats ? answered(answer, ((const numpy_array *)floats)->data) : NULL;
    if (floats) py->decref(floats);
    return made;
}
