// A singly linked list, as the list workloads build, walk and tear it down.
#ifndef ALLOC_BENCH_LIST_H
#define ALLOC_BENCH_LIST_H

#include "harness.h"

namespace bench
{

struct Node {
    Node *next;
    uint64_t value[3];
};
static_assert(sizeof(Node) == 32, "the size of the objects that age the heap");

// Appends at the end: neighbours in the list were allocated one after the other.
inline Node *build_list(size_t nodes)
{
    Node *first = nullptr;
    Node **end = &first;
    for (size_t i = 0; i < nodes; i++) {
        Node *node = static_cast<Node *>(make_object(sizeof(Node)));
        node->value[0] = i;
        *end = node;
        end = &node->next;
    }
    *end = nullptr;
    return first;
}

inline uint64_t walk_list(const Node *node)
{
    uint64_t sum = 0;
    for (; node; node = node->next)
        sum += node->value[0];
    return sum;
}

inline void tear_down_list(Node *node)
{
    while (node) {
        Node *next = node->next;
        allocator::release(node, sizeof(Node));
        node = next;
    }
}

} // namespace bench

#endif
