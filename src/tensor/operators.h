#pragma once
// The operators of tensors; broadcasting and dtype promotion as PyTorch. Included by tensor.h.
#include <cstdint>

namespace pg {

class Tensor;

Tensor operator+(const Tensor&, const Tensor&);
Tensor operator-(const Tensor&, const Tensor&);
Tensor operator*(const Tensor&, const Tensor&);
Tensor operator/(const Tensor&, const Tensor&);
Tensor operator-(const Tensor&);
// A number takes the tensor's dtype when that can hold it: a fraction makes integers f32, any number makes bool i64.
Tensor operator+(const Tensor&, double);
Tensor operator-(const Tensor&, double);
Tensor operator*(const Tensor&, double);
Tensor operator/(const Tensor&, double);
Tensor operator+(double, const Tensor&);
Tensor operator-(double, const Tensor&);
Tensor operator*(double, const Tensor&);
Tensor operator/(double, const Tensor&);
Tensor operator<(const Tensor&, const Tensor&);
Tensor operator<=(const Tensor&, const Tensor&);
Tensor operator>(const Tensor&, const Tensor&);
Tensor operator>=(const Tensor&, const Tensor&);
Tensor operator==(const Tensor&, const Tensor&);
Tensor operator!=(const Tensor&, const Tensor&);
Tensor operator<(const Tensor&, double);
Tensor operator<(double, const Tensor&);
Tensor operator==(const Tensor&, double);
Tensor operator!=(const Tensor&, double);
Tensor operator&(const Tensor&, const Tensor&);  // bitwise on integers, logical on bool
Tensor operator|(const Tensor&, const Tensor&);
Tensor operator^(const Tensor&, const Tensor&);
// Integers only; right is arithmetic on signed ones. Amounts that are negative or no less than the bits shift everything out
// (of a negative number to the right: -1); as a number they are a UserError.
Tensor operator<<(const Tensor&, const Tensor&);
Tensor operator>>(const Tensor&, const Tensor&);
Tensor operator<<(const Tensor&, int64_t bits);
Tensor operator>>(const Tensor&, int64_t bits);

}  // namespace pg
