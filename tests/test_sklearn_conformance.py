"""scikit-learn's checks of estimators, and its tools around ours."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastbp.sklearn import MLPClassifier, MLPRegressor


# scikit-learn's checks fit on made-up data until it has converged, or not.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_check_estimator(estimator, check):
    check(estimator)
